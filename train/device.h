#pragma once

#include <string>

#include <c10/core/Device.h>

#include "absl/status/statusor.h"

namespace fpo::train {

struct DeviceChoice {
  c10::Device device = c10::Device(c10::DeviceType::CPU);
  std::string why_not_cuda;     // of "auto" that took the CPU
  bool driver_is_here = false;  // ... although an NVIDIA driver is: nobody may have meant that
};

// Chooses where tensors live: cpu, cuda, or auto (cuda when the driver's device is there and
// LibTorch's CUDA library loads). The program links the CPU library only; the CUDA one is loaded
// here, and must be before any other LibTorch call so that its kernels are registered. For "cuda"
// an error of ExitCode::kDevice says what is missing.
absl::StatusOr<DeviceChoice> ChooseDevice(const std::string& name);

// Computes something there. A line about the device, or an error of ExitCode::kDevice.
absl::StatusOr<std::string> TryDevice(const DeviceChoice& choice);

}  // namespace fpo::train
