#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/core/device/device_probe.h"
#include "worker/core/device/gpu_sample.h"

namespace fpo::worker {

// NVIDIA's management library, opened at run time: programs are built without it and run on
// machines that have none. Thread-safe, as NVML is, but for Sample.
class Nvml final : public DeviceProbe {
 public:
  // NotFound: no such library. FailedPrecondition: it lacks a function. Unavailable: no driver.
  static absl::StatusOr<std::unique_ptr<Nvml>> Open(const std::string& library);
  ~Nvml() override;

  absl::StatusOr<std::vector<Device>> Read() override;
  std::string name() const override { return "nvml"; }
  // What the driver measures of each device. A number that this driver or device does not have is
  // left out. XID errors are counted from the first call on. One call at a time.
  absl::StatusOr<std::vector<GpuSample>> Sample();

 private:
  struct Functions;
  struct Xids;
  struct DeviceReader;
  explicit Nvml(std::unique_ptr<Functions> functions);
  const std::unique_ptr<Functions> functions_;
  std::unique_ptr<Xids> xids_;  // null before the first Sample
};

}  // namespace fpo::worker
