#pragma once

#include <string>

#include <c10/core/Device.h>

#include "absl/strings/string_view.h"
#include "common/train_protocol.h"

namespace fpo::train {

// What computes, as its maker calls it: "NVIDIA H200", or the processor's model name. "cuda" or
// "cpu" where the driver or the kernel does not say.
std::string DeviceName(c10::Device device);

// What a run records about it: "device_name", and of a GPU "device_driver", as in "driver
// 580.65.06, CUDA 13.0".
EventTexts DeviceTexts(c10::Device device);

// "NVIDIA H200 (driver 580.65.06, CUDA 13.0)", for people.
std::string DeviceDescription(c10::Device device);

// The first model name in the text of /proc/cpuinfo; empty when there is none.
std::string ProcessorName(absl::string_view cpuinfo);

}  // namespace fpo::train
