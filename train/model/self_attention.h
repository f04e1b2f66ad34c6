#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "train/model/gemma_config.h"
#include "train/model/lora.h"
#include "train/ops/packed_layout.h"
#include "train/ops/rope.h"

namespace fpo::train {

struct AttentionWeights {
  Projection q;       // [heads * head_dim, hidden]
  Projection k;       // [kv_heads * head_dim, hidden]
  Projection v;       // [kv_heads * head_dim, hidden]
  at::Tensor q_norm;  // [head_dim]; undefined without QK-norm
  at::Tensor k_norm;
};

struct AttentionLayer {
  const GemmaConfig& config;
  bool sliding;
  std::shared_ptr<const PackedLayout> layout = nullptr;  // of x [1, rows, hidden]; null: sequences
  bool kept_rows = false;  // with a layout: queries, and so results, of its kept rows alone
};

// Attention up to, not including, the output projection: normed block input [batch, seq, hidden] ->
// [batch, seq, heads * head_dim], the attn_z site. `rope` is the table of this layer's kind.
at::Tensor AttentionZ(const at::Tensor& x, const AttentionWeights& weights, const RopeTable& rope,
                      const AttentionLayer& layer);

}  // namespace fpo::train
