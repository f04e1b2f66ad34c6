#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/values/worker_device.h"
#include "worker/core/process/spawner.h"

namespace fpo::worker {

// Queries a GPU driver. Thread-safe.
class DeviceProbe {
 public:
  virtual ~DeviceProbe() = default;
  virtual absl::StatusOr<std::vector<Device>> Read() = 0;
  virtual std::string name() const = 0;  // of the method: "nvml", "nvidia-smi"
};

struct DeviceProbeOptions {
  std::string nvml = "libnvidia-ml.so.1";
  std::string nvidia_smi = "nvidia-smi";  // looked up in `path` unless it contains a slash
  std::string path;                       // PATH of this process
};

// NVML if its library can be opened and answers, else nvidia-smi if it runs and answers, else null:
// no GPUs. `spawner` outlives the probe.
std::unique_ptr<DeviceProbe> FindDeviceProbe(const DeviceProbeOptions& options, Spawner* spawner);

}  // namespace fpo::worker
