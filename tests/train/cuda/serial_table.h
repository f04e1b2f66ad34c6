#pragma once

#include "train/cuda/kernels/cuda_table.h"

namespace fpo::train {

// The calls of libfpo_cuda.so on this processor, for tensors in its memory: the kernels' own
// arithmetic in a grid that computes one thread after another (serial_grid.h).
const CudaTable& SerialCudaTable();

}  // namespace fpo::train
