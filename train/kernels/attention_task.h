#pragma once

#include <cstdint>

// What the attention kernels of kernel_set.h take.
namespace fpo::train {

struct AttentionShape {
  int64_t heads, kv_heads, head_dim;
  float scale, cap;  // cap 0: no softcap
  int64_t window;    // 0: all earlier keys
};
// Rows of a packed batch that see each other: a prompt from row `first` on, then responses, each of
// which sees the prompt and itself.
struct AttentionGroup {
  int64_t first, prompt;
  const int64_t* responses;  // their lengths
  int64_t response_count;
  // Of the prompt's rows only the last `prompt_queries` are queries; the group's queries are rows
  // from `first_query` on of q, z and their gradients.
  int64_t first_query, prompt_queries;
};
// The work of one thread: a group and a kv head. It writes the rows of the heads that read this kv
// head and nothing else.
struct AttentionTask {
  AttentionShape shape;
  AttentionGroup group;
  int64_t kv_head;
  float* scratch;  // attention_scratch floats
};
// Packed tensors [rows, heads, head_dim], k and v with kv_heads; `normalizer` [rows of q, heads].
struct AttentionTensors {
  const float *q, *k, *v;
  float* z;           // written by forward, read by backward
  float* normalizer;  // likewise
  const float* grad_z;
  float *grad_q, *grad_k, *grad_v;
};

}  // namespace fpo::train
