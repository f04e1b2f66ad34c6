#include "train/model/self_attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>

#include "train/ops/attention.h"
#include "train/ops/packed_attention.h"
#include "train/ops/rms_norm.h"

namespace fpo::train {

at::Tensor AttentionZ(const at::Tensor& x, const AttentionWeights& weights, const RopeTable& rope,
                      const AttentionLayer& layer) {
  const GemmaConfig& config = layer.config;
  const int64_t batch = x.size(0), seq = x.size(1);
  const auto project = [&](const at::Tensor& weight, int64_t heads) {
    return at::linear(x, weight).view({batch, seq, heads, config.head_dim});
  };
  at::Tensor q = project(weights.q, config.heads);
  at::Tensor k = project(weights.k, config.kv_heads);
  const at::Tensor v = project(weights.v, config.kv_heads);
  if (weights.q_norm.defined()) {
    q = RmsNorm(q, weights.q_norm, config.rms_norm_eps);
    k = RmsNorm(k, weights.k_norm, config.rms_norm_eps);
  }
  AttentionOptions options;
  options.scale = 1 / std::sqrt(config.query_pre_attn_scalar);
  options.softcap = config.attention_softcap.value_or(0);
  options.window = layer.sliding ? config.sliding_window : 0;
  if (layer.layout != nullptr) {
    return PackedAttention(ApplyRope(q, rope).squeeze(0), ApplyRope(k, rope).squeeze(0),
                           v.squeeze(0), {layer.layout, options})
        .unsqueeze(0);
  }
  return CausalAttention(ApplyRope(q, rope), ApplyRope(k, rope), v, options);
}

}  // namespace fpo::train
