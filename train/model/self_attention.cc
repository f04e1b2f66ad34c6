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
  const auto project = [&](const at::Tensor& from, const Projection& weight, int64_t heads) {
    return Project(from, weight).view({from.size(0), from.size(1), heads, config.head_dim});
  };
  const at::Tensor queried = layer.kept_rows ? x.index_select(1, layer.layout->kept) : x;
  at::Tensor q = project(queried, weights.q, config.heads);
  at::Tensor k = project(x, weights.k, config.kv_heads);
  const at::Tensor v = project(x, weights.v, config.kv_heads);
  if (weights.q_norm.defined()) {
    q = RmsNorm(q, weights.q_norm, config.norm());
    k = RmsNorm(k, weights.k_norm, config.norm());
  }
  AttentionOptions options;
  options.scale = 1 / std::sqrt(config.query_pre_attn_scalar);
  options.softcap = config.attention_softcap.value_or(0);
  options.window = layer.sliding ? config.sliding_window : 0;
  if (layer.layout != nullptr) {
    RopeTable of_queries = rope;
    if (layer.kept_rows) {
      of_queries.cos = rope.cos.index_select(0, layer.layout->kept);
      of_queries.sin = rope.sin.index_select(0, layer.layout->kept);
    }
    return PackedAttention(ApplyRope(q, of_queries).squeeze(0), ApplyRope(k, rope).squeeze(0),
                           v.squeeze(0), {layer.layout, options, layer.kept_rows})
        .unsqueeze(0);
  }
  return CausalAttention(ApplyRope(q, rope), ApplyRope(k, rope), v, options);
}

}  // namespace fpo::train
