#pragma once

#include "train/cuda/kernels/attention_call.h"

namespace fpo::train {

// The calls of cuDNN's attention by their formula, in float64, for memory of this processor.
const CudaAttentionTable& SerialAttention();

}  // namespace fpo::train
