#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fpo::train {

struct AttentionOptions {
  double scale = 1;    // multiplies q.k
  double softcap = 0;  // 0: none; otherwise cap * tanh(score / cap), before the mask
  int64_t window = 0;  // 0: all earlier keys; otherwise key j is seen when 0 <= i - j < window
  int64_t query_block = 256;  // queries computed at a time: bounds the score memory, not the result
};

// Causal attention over whole sequences that start at position 0 (padding, if any, on the right).
// q: [batch, seq, heads, head_dim]; k, v: [batch, keys, kv_heads, head_dim], where `keys` may be
// more than seq: the queries are then those of the last positions. Query head h reads kv head h *
// kv_heads / heads. Returns [batch, seq, heads * head_dim] in q's dtype; scores and
// softmax in float32. Differentiable; backward recomputes the scores block by block, so no [seq,
// seq] tensor outlives its block.
at::Tensor CausalAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const AttentionOptions& options);

}  // namespace fpo::train
