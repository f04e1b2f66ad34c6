#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

#include "train/cuda/kernels/cuda_table.h"

namespace fpo::train {

struct KernelCheck {
  std::string name;
  double error = 0;  // largest |made - expected| / (1 + |expected|)
  double bound = 0;
};

// Computes each kernel once on random numbers and compares it with LibTorch's operators in float64
// on the same device. Less than a second.
std::vector<KernelCheck> CheckCudaKernels(const CudaTable& table, c10::Device device);

// Why this program must not use libfpo_cuda.so on `device`, in words for a user, or empty: it is
// missing, of another version, or a kernel is wrong on this GPU. The library is not used any more
// then. Call before the first computation.
std::string CudaKernelProblem(c10::Device device);

}  // namespace fpo::train
