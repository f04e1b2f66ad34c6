#pragma once

#include <string>

#include <c10/core/Device.h>

#include "absl/status/statusor.h"

namespace fpo::train {

struct DeviceChoice {
  c10::Device device = c10::Device(c10::DeviceType::CPU);
  std::string why_not_cuda;  // why "auto" chose the CPU
  // with why_not_cuda: a driver exists, so using the CPU may be unintended
  bool driver_is_here = false;
};

// Chooses where tensors live: cpu, cuda, or auto (cuda when the driver's device exists and
// LibTorch's CUDA library loads). The program links only the CPU library; the CUDA one is loaded
// here, before any other LibTorch call, so that its kernels are registered. For "cuda" an error of
// ExitCode::kDevice says what is missing.
absl::StatusOr<DeviceChoice> ChooseDevice(const std::string& name);

// Runs a small computation there. Returns a line about the device, or an error of
// ExitCode::kDevice.
absl::StatusOr<std::string> TryDevice(const DeviceChoice& choice);

}  // namespace fpo::train
