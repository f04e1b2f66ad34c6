#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "train/ops/attention.h"
#include "train/ops/packed_layout.h"

namespace fpo::train {

struct PackedAttentionOptions {
  std::shared_ptr<const PackedLayout> layout;
  AttentionOptions attention;
};

// CausalAttention (attention.h) of each prompt and of each response after its prompt, windows by
// position. q: [rows, heads, head_dim]; k, v: [rows, kv_heads, head_dim]. Returns [rows, heads *
// head_dim] in q's dtype. Differentiable: what the responses give to a prompt's keys adds up. With
// kernels (fast_paths.h) no [rows, keys] tensor exists; without them one for each block of queries.
at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const PackedAttentionOptions& options);

}  // namespace fpo::train
