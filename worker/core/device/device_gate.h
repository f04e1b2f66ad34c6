#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "worker/core/device/device_probe.h"
#include "worker/core/device/slot_devices.h"

namespace fpo::worker {

// Keeps a slot from being used while its GPU's memory is still taken: a driver frees the memory of
// a dead process late or, when something holds on to it, never. Thread-safe.
class DeviceGate {
 public:
  struct Options {
    int64_t used_bytes_max = int64_t{512} << 20;  // what an idle device may have in use
    absl::Duration patience = absl::Seconds(50);
    absl::Duration look = absl::Milliseconds(500);
    std::vector<SlotDevice> slots;  // the GPU of each
  };
  DeviceGate(DeviceProbe* probe, Options options) : probe_(probe), options_(std::move(options)) {}

  // Unavailable names the device and its numbers when the device of one of the slots is in use now.
  // FailedPrecondition: a slot no longer has a device, or the driver does not answer.
  absl::Status Check(const std::vector<int32_t>& slots);
  // The same after waiting until it is free, for at most `patience` or until `give_up` returns
  // true.
  absl::Status AwaitFree(const std::vector<int32_t>& slots, const std::function<bool()>& give_up);

 private:
  DeviceProbe* const probe_;
  const Options options_;
};

}  // namespace fpo::worker
