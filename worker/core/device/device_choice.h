#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/core/device/device_probe.h"
#include "worker/core/device/slot_devices.h"

namespace fpo::worker {

struct DeviceDecision {
  std::string device;             // cpu | cuda
  std::string why;                // for people
  std::vector<SlotDevice> slots;  // of cuda, one a slot
  // The host has a GPU that cannot be used, and nobody asked for the CPU: the worker must take no
  // jobs, which would compute on the CPU where their owner expects a GPU. Empty: none of that.
  std::string problem = {};
};

// What determines where the jobs of a worker compute.
struct DeviceQuestion {
  std::string asked = "auto";  // auto | cpu | cuda
  int32_t slots = 1;
  DeviceProbe* probe = nullptr;                // null: no library of a driver answers
  bool has_files = false;                      // /dev has a driver's files
  std::optional<std::string> visible_devices;  // CUDA_VISIBLE_DEVICES; absent: all
  // Runs the trainer's computation on a GPU; its error says what is missing.
  std::function<absl::StatusOr<std::string>()> try_cuda;
};

// Decided once, when the agent starts, so that a job that expects a GPU never ends up on the CPU.
// InvalidArgument names what is missing for "cuda", or that there are fewer GPUs than slots.
absl::StatusOr<DeviceDecision> ChooseDevice(const DeviceQuestion& question);

}  // namespace fpo::worker
