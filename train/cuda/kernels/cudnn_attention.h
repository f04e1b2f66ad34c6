#pragma once

#include "train/cuda/kernels/attention_call.h"

namespace fpo::train::cuda {

// Weak: null itself in a library that was built without cuDNN's headers.
[[gnu::weak]] const CudaAttentionTable* CudnnAttention();

}  // namespace fpo::train::cuda
