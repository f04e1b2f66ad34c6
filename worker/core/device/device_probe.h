#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/core/process/spawner.h"

namespace fpo::worker {

// A GPU as its driver describes it.
struct Device {
  int32_t index = 0;  // the driver's
  std::string uuid;   // "GPU-..."
  std::string name;
  int64_t memory_bytes = 0;
  int64_t used_bytes = 0;
  std::string driver;  // version

  bool operator==(const Device&) const = default;
};

// Asks a driver. Thread-safe.
class DeviceProbe {
 public:
  virtual ~DeviceProbe() = default;
  virtual absl::StatusOr<std::vector<Device>> Read() = 0;
  virtual std::string name() const = 0;  // of the way: "nvml", "nvidia-smi"
};

struct DeviceProbeOptions {
  std::string nvml = "libnvidia-ml.so.1";
  std::string nvidia_smi = "nvidia-smi";  // looked up in `path` unless it holds a slash
  std::string path;                       // PATH of this process
};

// NVML where its library can be opened and answers, else nvidia-smi where it runs and answers, else
// null: no GPUs. `spawner` outlives the probe.
std::unique_ptr<DeviceProbe> FindDeviceProbe(const DeviceProbeOptions& options, Spawner* spawner);

// Those that a process with this CUDA_VISIBLE_DEVICES sees, in its order. As CUDA has it: an entry
// that names none ends the list.
std::vector<Device> VisibleDevices(const std::vector<Device>& all, const std::string& list);

}  // namespace fpo::worker
