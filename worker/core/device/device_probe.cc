#include "worker/core/device/device_probe.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/observe/log.h"
#include "worker/core/device/nvidia_smi.h"
#include "worker/core/device/nvml.h"

namespace fpo::worker {

std::unique_ptr<DeviceProbe> FindDeviceProbe(const DeviceProbeOptions& options, Spawner* spawner) {
  absl::StatusOr<std::unique_ptr<Nvml>> nvml = Nvml::Open(options.nvml);
  absl::Status problem = nvml.status();
  if (nvml.ok()) {
    problem = (*nvml)->Read().status();
    if (problem.ok()) return *std::move(nvml);
  }
  auto smi = std::make_unique<NvidiaSmi>(options.nvidia_smi, options.path, spawner);
  const absl::Status other = smi->Read().status();
  if (other.ok()) return smi;
  Log(LogLevel::kInfo, "no GPUs were found",
      {{"nvml", std::string(problem.message())}, {"nvidia-smi", std::string(other.message())}});
  return nullptr;
}

std::vector<Device> VisibleDevices(const std::vector<Device>& all, const std::string& list) {
  std::vector<Device> visible;
  for (const absl::string_view entry : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    int32_t index = 0;
    const bool numbered = absl::SimpleAtoi(entry, &index);
    const auto found = std::find_if(all.begin(), all.end(), [&](const Device& device) {
      return numbered ? device.index == index : absl::StartsWith(device.uuid, entry);
    });
    if (found == all.end()) break;
    visible.push_back(*found);
  }
  return visible;
}

}  // namespace fpo::worker
