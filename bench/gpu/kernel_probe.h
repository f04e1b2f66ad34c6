#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace fpo::train {

// fpo_gpu_probe kernels DEVICE ROWS VOCAB: each kernel of libfpo_cuda.so against LibTorch's
// operators, at the shapes of Gemma-2-2B with ROWS tokens: a JSON line each with the difference,
// its bound and the seconds of forward and backward both ways. On a CPU its own kernels are
// compared.
absl::Status ProbeKernels(c10::Device device, const std::vector<std::string>& words);

}  // namespace fpo::train
