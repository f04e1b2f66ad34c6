#include "worker/core/device/device_choice.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

using ::testing::HasSubstr;

class ChosenProbe final : public DeviceProbe {
 public:
  absl::StatusOr<std::vector<Device>> Read() override { return devices; }
  std::string name() const override { return "fake"; }
  absl::StatusOr<std::vector<Device>> devices = std::vector<Device>(2);
};

class DeviceChoiceTest : public ::testing::Test {
 protected:
  DeviceChoiceTest() {
    question_.probe = &probe_;
    question_.try_cuda = [this] {
      ++tries_;
      return trainer_;
    };
    probe_.devices = std::vector<Device>{{0, "GPU-a", "NVIDIA H200", 0, 0, "580.65.06"},
                                         {1, "GPU-b", "NVIDIA H200", 0, 0, "580.65.06"}};
  }
  DeviceDecision Choose() { return ChooseDevice(question_).value(); }
  std::string Error() {
    const auto choice = ChooseDevice(question_);
    EXPECT_TRUE(absl::IsInvalidArgument(choice.status()));
    return std::string(choice.status().message());
  }

  ChosenProbe probe_;
  DeviceQuestion question_;
  absl::StatusOr<std::string> trainer_ = "cuda: 2 visible";
  int tries_ = 0;
};

TEST_F(DeviceChoiceTest, WhatTheTrainerCanUseIsTaken) {
  question_.slots = 2;
  EXPECT_EQ(Choose().device, "cuda");
  EXPECT_EQ(Choose().why, "2 x NVIDIA H200, driver 580.65.06");
  EXPECT_EQ(Choose().slots[1].visible_as, "GPU-b") << "CUDA may number them in another order";
  EXPECT_EQ(Choose().problem, "");
  question_.asked = "cuda";
  question_.probe = nullptr;
  EXPECT_EQ(Choose().why, "cuda: 2 visible") << "a driver without NVML";
}

TEST_F(DeviceChoiceTest, ADeviceThatIsAskedForAndNotThereIsRefused) {
  question_.asked = "cuda";
  trainer_ = absl::FailedPreconditionError("no NVIDIA driver on this machine");
  EXPECT_THAT(Error(),
              HasSubstr("--device cuda: no GPU can be used on this host: no NVIDIA driver"));
}

TEST_F(DeviceChoiceTest, AutoNeverTakesTheCpuOfAHostWhoseGpuIsBroken) {
  trainer_ = absl::FailedPreconditionError("the driver is too old");
  EXPECT_NE(Choose().device, "cuda");
  EXPECT_THAT(Choose().problem,
              HasSubstr("no GPU can be used on this host: the driver is too old"));
  EXPECT_THAT(Choose().problem, HasSubstr("--device cpu"));
  question_.probe = nullptr;  // only /dev/nvidia3 is left of the driver
  question_.has_files = true;
  EXPECT_THAT(Choose().problem, HasSubstr("the driver is too old"));
}

TEST_F(DeviceChoiceTest, AutoTakesTheCpuWhereThereIsNoGpuOrItIsHidden) {
  trainer_ = absl::FailedPreconditionError("not asked");
  question_.visible_devices = "";
  EXPECT_EQ(Choose().device, "cpu");
  EXPECT_EQ(Choose().problem, "") << "hidden on purpose";
  question_.visible_devices = std::nullopt;
  question_.probe = nullptr;
  EXPECT_EQ(Choose().why, "this host has no NVIDIA driver");
  EXPECT_EQ(Choose().problem, "");
  EXPECT_EQ(tries_, 0) << "nothing to try";
}

TEST_F(DeviceChoiceTest, EverySlotNeedsAGpuOfItsOwn) {
  question_.slots = 3;
  EXPECT_THAT(Error(), HasSubstr("--slots 3: the driver shows 2 GPUs, and each slot needs one"));
  question_.slots = 2;
  EXPECT_EQ(Choose().device, "cuda");
  question_.visible_devices = "1";
  EXPECT_THAT(Error(), HasSubstr("shows 1 GPU with CUDA_VISIBLE_DEVICES=1"));
  question_.asked = "cpu";
  EXPECT_EQ(Choose().device, "cpu");
}

}  // namespace
}  // namespace fpo::worker
