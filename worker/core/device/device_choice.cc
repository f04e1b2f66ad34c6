#include "worker/core/device/device_choice.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nvidia.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

// "2 x NVIDIA H200, driver 580.65.06".
std::string Describe(const std::vector<SlotDevice>& slots, const std::string& trainer) {
  std::set<std::string> names;
  std::string driver;
  for (const SlotDevice& slot : slots) {
    if (!slot.device.has_value()) return trainer;
    names.insert(slot.device->name);
    driver = slot.device->driver;
  }
  return absl::StrCat(slots.size(), " x ", absl::StrJoin(names, ", "), ", driver ", driver);
}

}  // namespace

absl::StatusOr<DeviceDecision> ChooseDevice(const DeviceQuestion& question) {
  if (question.asked == "cpu") return DeviceDecision{"cpu", "--device cpu", {}};
  const bool automatic = question.asked == "auto";
  if (automatic && question.probe == nullptr && !question.has_files) {
    return DeviceDecision{"cpu", "this host has no NVIDIA driver", {}};
  }
  if (automatic && HidesEveryGpu(question.visible_devices)) {
    return DeviceDecision{"cpu", "CUDA_VISIBLE_DEVICES hides every GPU", {}};
  }
  const absl::StatusOr<std::string> trainer = question.try_cuda();
  if (!trainer.ok()) {
    std::string problem =
        absl::StrCat("no GPU can be used on this host: ", trainer.status().message());
    if (!automatic) return absl::InvalidArgumentError(absl::StrCat("--device cuda: ", problem));
    absl::StrAppend(&problem, " (mend it and restart this agent, or start it with --device cpu)");
    return DeviceDecision{"cpu", problem, {}, problem};
  }
  std::vector<Device> all;
  if (question.probe != nullptr) {
    FPO_ASSIGN_OR_RETURN(all, question.probe->Read());
  }
  FPO_ASSIGN_OR_RETURN(std::vector<SlotDevice> slots,
                       SlotDevices(question.slots, all, question.visible_devices));
  std::string why = Describe(slots, *trainer);
  return DeviceDecision{"cuda", std::move(why), std::move(slots)};
}

}  // namespace fpo::worker
