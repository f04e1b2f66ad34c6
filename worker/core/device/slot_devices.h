#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/values/worker_device.h"

namespace fpo::worker {

// The GPU of one slot.
struct SlotDevice {
  std::string visible_as;        // its CUDA_VISIBLE_DEVICES; empty: unrestricted
  std::optional<Device> device;  // none: a part of a GPU (MIG), or no driver's library answers
};

// Slot n has the n-th GPU of `visible_devices` (CUDA_VISIBLE_DEVICES, as Slurm and Docker set it),
// or of `all`, the driver's GPUs, which is empty where no library of the driver answers. Whole GPUs
// are named by their UUIDs: CUDA may number them in another order than the driver. As in CUDA, an
// entry that names no GPU ends the list. InvalidArgument: fewer GPUs than slots.
absl::StatusOr<std::vector<SlotDevice>> SlotDevices(
    int32_t slots, const std::vector<Device>& all,
    const std::optional<std::string>& visible_devices);

// The GPUs that the entries of `visible_devices` name; all when it is absent.
std::vector<SlotDevice> VisibleDevices(const std::vector<Device>& all,
                                       const std::optional<std::string>& visible_devices);

}  // namespace fpo::worker
