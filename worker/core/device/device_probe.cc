#include "worker/core/device/device_probe.h"

#include <utility>

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

}  // namespace fpo::worker
