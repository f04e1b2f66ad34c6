#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "train/ops/attention.h"
#include "train/ops/packed_layout.h"

namespace fpo::train {

struct PackedAttentionOptions {
  std::shared_ptr<const PackedLayout> layout;
  AttentionOptions attention;
  bool kept_queries = false;  // q has the layout's kept rows alone; k and v have all
};

// CausalAttention (attention.h) of each prompt and of each response after its prompt, windows by
// position. q: [rows, heads, head_dim]; k, v: [rows, kv_heads, head_dim]. Returns [rows of q, heads
// * head_dim] in q's dtype. Differentiable: what the responses give to a prompt's keys adds up.
// With kernels (fast_paths.h) no [rows, keys] tensor exists; without them one for each block of
// queries.
at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const PackedAttentionOptions& options);

}  // namespace fpo::train
