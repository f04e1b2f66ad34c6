#include "worker/core/device/device_choice.h"

#include "absl/strings/str_cat.h"

namespace fpo::worker {
namespace {

std::string DescribeDriver(const DeviceQuestion& question, size_t* visible) {
  absl::StatusOr<std::vector<Device>> devices = question.probe->Read();
  if (!devices.ok()) return std::string(devices.status().message());
  if (question.visible) devices = VisibleDevices(*devices, *question.visible);
  *visible = devices->size();
  return absl::StrCat(
      "the driver shows ", *visible, *visible == 1 ? " GPU" : " GPUs",
      question.visible ? absl::StrCat(" with CUDA_VISIBLE_DEVICES=", *question.visible) : "");
}

absl::Status TooFew(const DeviceQuestion& question, const std::string& driver) {
  return absl::InvalidArgumentError(
      absl::StrCat("--slots ", question.slots, ": ", driver,
                   ", and each slot needs one of its own; use fewer slots or --device cpu"));
}

}  // namespace

absl::StatusOr<DeviceDecision> ChooseDevice(const DeviceQuestion& question) {
  if (question.asked == "cpu") return DeviceDecision{"cpu", "--device cpu"};
  if (question.asked == "auto" && question.probe == nullptr && !question.has_files) {
    return DeviceDecision{"cpu", "this host has no NVIDIA driver"};
  }
  size_t visible = 0;
  std::string driver;
  if (question.probe != nullptr) driver = DescribeDriver(question, &visible);
  const absl::StatusOr<std::string> trainer = question.try_cuda();
  if (!trainer.ok()) {
    if (question.asked == "auto") {
      return DeviceDecision{"cpu",
                            absl::StrCat("no GPU can be used: ", trainer.status().message())};
    }
    return absl::InvalidArgumentError(
        absl::StrCat("--device cuda: no GPU can be used on this host: ", trainer.status().message(),
                     driver.empty() ? "" : absl::StrCat(" (", driver, ")")));
  }
  const bool several = question.slots > 1;  // then slot n has the n-th GPU
  if (several && !driver.empty() && visible < static_cast<size_t>(question.slots)) {
    return TooFew(question, driver);
  }
  return DeviceDecision{"cuda", driver.empty() ? *trainer : driver};
}

}  // namespace fpo::worker
