#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "train/cuda/attention_segments.h"
#include "train/cuda/kernels/cuda_table.h"

namespace fpo::train {

// A batch's sequences on a device: made once, used by every layer.
struct AttentionPlan {
  AttentionSegments segments;
  AttentionBucket bucket;
  at::Tensor query_lengths, key_lengths;  // [sequences of the bucket] int32
  at::Tensor query_starts, key_starts;    // [sequences of the bucket + 1] int64, rows
  at::Tensor key_row, own;                // as in the segments, int64; undefined: the same
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;  // key rows, packed rows

  static std::shared_ptr<const AttentionPlan> Of(const std::vector<AttentionRows>& groups,
                                                 at::Device device);
};

struct AttentionInputs {
  at::Tensor q;     // [query rows, heads, head_dim]
  at::Tensor k, v;  // [packed rows, kv_heads, head_dim]
};

struct FusedAttentionOptions {
  std::shared_ptr<const AttentionPlan> plan;
  double scale = 1, softcap = 0;
  int64_t window = 0;
};

// Attention of bfloat16 in one kernel, without a tensor of [rows, keys]: cuDNN's with a softcap,
// LibTorch's flash attention without. Another arithmetic than docs/forward-recipe.md 7: the
// probabilities are rounded to bfloat16 before they multiply the values. Returns [query rows,
// heads, head_dim]. Differentiable, deterministic. Throws c10::Error where it cannot compute: what
// would compute instead is another function.
at::Tensor FusedAttention(const CudaTable& table, const AttentionInputs& in,
                          const FusedAttentionOptions& options);

// Why this program cannot compute it on a GPU, in words for a user, or empty.
std::string FusedAttentionProblem();

}  // namespace fpo::train
