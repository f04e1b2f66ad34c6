#pragma once

#include <string>

#include <c10/core/Device.h>

#include "absl/status/statusor.h"
#include "train/device/cuda_driver.h"

namespace fpo::train {

struct DeviceChoice {
  c10::Device device = c10::Device(c10::DeviceType::CPU);
  std::string why_not_cuda;  // why "auto" chose the CPU
};

// Chooses where tensors live: cpu, cuda, or auto: cuda, or the CPU where there is no driver or
// CUDA_VISIBLE_DEVICES hides every GPU. A GPU that is there and cannot be used is an error of
// ExitCode::kDevice for auto too, which says what is missing: nobody meant the CPU. The program
// links only LibTorch's CPU library; the CUDA one is loaded here, before any other LibTorch call,
// so that its kernels are registered.
absl::StatusOr<DeviceChoice> ChooseDevice(const std::string& name,
                                          const CudaDriverPlace& place = {});

// Runs a small computation there. Returns a line about the device, or an error of
// ExitCode::kDevice.
absl::StatusOr<std::string> TryDevice(const DeviceChoice& choice);

// Lines about this machine: its driver, LibTorch's CUDA libraries and NCCL, each with what is
// missing. Loads the libraries also where there is
// no driver.
std::string DeviceReport(const CudaDriverPlace& place = {});

}  // namespace fpo::train
