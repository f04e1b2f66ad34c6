#pragma once

#include <string>

#include <c10/core/Device.h>

#include "absl/status/statusor.h"

namespace fpo::train {

// Chooses where tensors live: cpu, cuda, or auto (cuda when the driver's device is there and
// LibTorch's CUDA library loads). The program links the CPU library only; the CUDA one is loaded
// here, and must be before any other LibTorch call so that its kernels are registered. NotFound for
// "cuda" says what is missing.
absl::StatusOr<c10::Device> ChooseDevice(const std::string& name);

}  // namespace fpo::train
