#include "worker/core/device/slot_devices.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fpo::worker {
namespace {

SlotDevice Whole(const Device& device) {
  return {device.uuid.empty() ? absl::StrCat(device.index) : device.uuid, device};
}

std::optional<SlotDevice> Named(const std::vector<Device>& all, const std::string& entry) {
  if (all.empty() || absl::StartsWith(entry, "MIG-")) return SlotDevice{entry, std::nullopt};
  int32_t index = 0;
  const bool numbered = absl::SimpleAtoi(entry, &index);
  const auto found = std::find_if(all.begin(), all.end(), [&](const Device& device) {
    return numbered ? device.index == index : absl::StartsWith(device.uuid, entry);
  });
  if (found == all.end()) return std::nullopt;
  return Whole(*found);
}

std::string Shown(size_t count, const std::optional<std::string>& visible_devices) {
  return absl::StrCat(
      "the driver shows ", count, count == 1 ? " GPU" : " GPUs",
      visible_devices ? absl::StrCat(" with CUDA_VISIBLE_DEVICES=", *visible_devices) : "");
}

}  // namespace

std::vector<SlotDevice> VisibleDevices(const std::vector<Device>& all,
                                       const std::optional<std::string>& visible_devices) {
  std::vector<SlotDevice> visible;
  if (!visible_devices.has_value()) {
    for (const Device& device : all) visible.push_back(Whole(device));
    return visible;
  }
  for (absl::string_view entry : absl::StrSplit(*visible_devices, ',', absl::SkipWhitespace())) {
    const auto named = Named(all, std::string(absl::StripAsciiWhitespace(entry)));
    if (!named.has_value()) break;
    visible.push_back(*named);
  }
  return visible;
}

absl::StatusOr<std::vector<SlotDevice>> SlotDevices(
    int32_t slots, const std::vector<Device>& all,
    const std::optional<std::string>& visible_devices) {
  const auto wanted = static_cast<size_t>(slots);
  std::vector<SlotDevice> devices = VisibleDevices(all, visible_devices);
  if (all.empty() && !visible_devices.has_value()) {  // only the trainer can tell
    for (size_t slot = 0; slot < wanted; ++slot) {
      devices.push_back({wanted == 1 ? "" : absl::StrCat(slot), std::nullopt});
    }
  }
  if (devices.size() < wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("--slots ", slots, ": ", Shown(devices.size(), visible_devices),
                     ", and each slot needs one of its own; use fewer slots or --device cpu"));
  }
  devices.resize(wanted);
  return devices;
}

}  // namespace fpo::worker
