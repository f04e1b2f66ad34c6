#pragma once

#include <cstdint>

#include "train/cuda/kernels/attention_call.h"
#include "train/cuda/kernels/cuda_calls.h"

// What libfpo_cuda.so offers. A call queues work on `stream` (a cudaStream_t) and returns null, or
// why it could not, in a text that lives as long as the library. No kernel adds with atomics: the
// same call gives the same bits.
namespace fpo::train {

// Of this file and those it includes: a library of another version is not used. Change it with any
// line.
constexpr int32_t kCudaTableVersion = 2;

struct CudaTable {
  int32_t version;
  const char* (*norm)(const CudaNorm&, void* stream);
  const char* (*norm_gradient)(const CudaNormGradient&, void* stream);
  const char* (*gated)(const CudaGated&, void* stream);
  const char* (*gated_gradient)(const CudaGatedGradient&, void* stream);
  const char* (*rope)(const CudaRope&, void* stream);
  const char* (*logits)(const CudaLogits&, void* stream);
  const char* (*kl)(const CudaKl&, void* stream);
  const char* (*logit_gradient)(const CudaLogitGradient&, void* stream);
  const char* (*row_sums)(const CudaRowSums&, void* stream);
  const char* (*response_sums)(const CudaResponseSums&, void* stream);
  const char* (*squares)(const CudaSquares&, void* stream);
  const char* (*clip)(const CudaClip&, void* stream);
  const char* (*adam)(const CudaUpdate&, const AdamStep&, void* stream);
  const char* (*rms_prop)(const CudaUpdate&, const RmsPropStep&, void* stream);
  const char* (*nf4)(const CudaNf4&, void* stream);
  const CudaAttentionTable* attention;  // null: none
};

// Exported by the library under this name.
using CudaTableFunction = const CudaTable* (*)();
constexpr char kCudaTableSymbol[] = "FpoCudaTable";

}  // namespace fpo::train
