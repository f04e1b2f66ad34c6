#include "worker/core/device/device_gate.h"

#include <poll.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"

namespace fpo::worker {

absl::Status DeviceGate::Check(const std::vector<int32_t>& slots) {
  const absl::StatusOr<std::vector<Device>> read = probe_->Read();
  if (!read.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the driver of the GPUs does not answer: ", read.status().message()));
  }
  for (const int32_t slot : slots) {
    const std::optional<Device>& known = options_.slots.at(static_cast<size_t>(slot)).device;
    if (!known.has_value()) continue;
    const auto found = std::find_if(read->begin(), read->end(), [&](const Device& device) {
      return device.uuid == known->uuid && device.index == known->index;
    });
    if (found == read->end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the GPU of slot ", slot, ", device ", known->index, " (", known->name, ", ",
                       known->uuid, "), is gone: the driver shows ", read->size()));
    }
    const Device& device = *found;
    if (device.used_bytes < options_.used_bytes_max) continue;
    return absl::UnavailableError(absl::StrCat(
        "device ", device.index, " (", device.name, ") has ", device.used_bytes >> 20, " of ",
        device.memory_bytes >> 20, " MiB of its memory in use while its slot is idle; at most ",
        options_.used_bytes_max >> 20, " MiB may be: look for processes on it with nvidia-smi"));
  }
  return absl::OkStatus();
}

absl::Status DeviceGate::AwaitFree(const std::vector<int32_t>& slots,
                                   const std::function<bool()>& give_up) {
  const absl::Time deadline = BootNow() + options_.patience;
  for (;;) {
    absl::Status status = Check(slots);
    if (status.ok() || give_up() || BootNow() >= deadline) return status;
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(options_.look)));
  }
}

}  // namespace fpo::worker
