#pragma once

#include <cstdint>

namespace fpo::train {

// What an attention plan is made for: sequences of bfloat16 queries, one after another, and of the
// keys they see. Query i of n sees keys up to m - n + i of m, in a window of `window` (0: all).
// Scores are q.k scale, capped (0: not), as cap tanh(score / cap).
struct CudaAttentionShape {
  int32_t sequences;  // some may be empty
  int64_t longest_query, longest_key;
  int64_t heads, kv_heads, head_dim;
  float scale, cap;
  int64_t window;
};

// Rows [heads, head_dim], of k and v [kv_heads, head_dim]. lengths and offsets are int32 and int64
// [sequences] and [sequences + 1], the offsets in numbers.
struct CudaAttention {
  CudaAttentionShape shape;
  const void *q, *k, *v;
  void* z;
  float* normalizer;  // [query rows, heads]: log-sum-exp of the capped scores
  const void* grad_z;
  void *grad_q, *grad_k, *grad_v;
  const int32_t *query_lengths, *key_lengths;
  const int64_t *query_offsets, *key_offsets, *normalizer_offsets;
  void* workspace;  // as many bytes as the plan needs
};

// cuDNN's attention; null in a library that was built without its headers. The first call for a
// shape makes its plan, which takes a second or two.
struct CudaAttentionTable {
  // Bytes of workspace that forward and backward of this shape need.
  const char* (*prepare)(const CudaAttentionShape&, int64_t* forward, int64_t* backward);
  const char* (*forward)(const CudaAttention&, void* stream);
  const char* (*backward)(const CudaAttention&, void* stream);  // deterministic
  // Makes both plans for the device that cuDNN's description of it in JSON names, without having
  // one, and runs nothing: for tests. It needs libcuda.so.1, whatever that does.
  // capability: 90 for 9.0.
  const char* (*try_plan)(const CudaAttentionShape&, const char* device_json, int capability);
};

}  // namespace fpo::train
