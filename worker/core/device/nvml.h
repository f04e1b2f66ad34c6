#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/core/device/device_probe.h"

namespace fpo::worker {

// NVIDIA's management library, opened at run time: programs are built without it and run on
// machines that have none. Thread-safe, as NVML is.
class Nvml final : public DeviceProbe {
 public:
  // NotFound: no such library. FailedPrecondition: it lacks a function. Unavailable: no driver.
  static absl::StatusOr<std::unique_ptr<Nvml>> Open(const std::string& library);
  ~Nvml() override;

  absl::StatusOr<std::vector<Device>> Read() override;
  std::string name() const override { return "nvml"; }

 private:
  struct Functions;
  explicit Nvml(std::unique_ptr<Functions> functions);
  const std::unique_ptr<Functions> functions_;
};

}  // namespace fpo::worker
