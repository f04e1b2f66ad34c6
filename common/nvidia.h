#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo {

// What the kernel shows of an NVIDIA driver, without any of its libraries. Containers share /proc
// with their host, so only the files of /dev say whether a process may use a GPU.

// The driver's device files in `dev`, sorted: nvidiactl, nvidia0, nvidia3, dxg (WSL). A container
// often has one GPU of several, so that nvidia0 need not be among them. Empty: no driver.
std::vector<std::string> NvidiaDeviceFiles(const std::string& dev = "/dev");

// The kernel module's version as in `file`, such as "580.65.06"; empty where there is none.
std::string NvidiaDriverVersion(const std::string& file = "/proc/driver/nvidia/version");

// Whether this value of CUDA_VISIBLE_DEVICES hides every GPU on purpose: "", "-1", or what Slurm
// sets for a job without GPUs.
bool HidesEveryGpu(const std::optional<std::string>& visible_devices);

}  // namespace fpo
