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
    probe_.devices->at(1).index = 1;
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
  EXPECT_EQ(Choose().device, "cuda");
  EXPECT_EQ(Choose().why, "the driver shows 2 GPUs");
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

TEST_F(DeviceChoiceTest, AutoTakesTheCpuAndSaysWhy) {
  trainer_ = absl::FailedPreconditionError("the driver is too old");
  EXPECT_EQ(Choose().device, "cpu");
  EXPECT_THAT(Choose().why, HasSubstr("the driver is too old"));
  question_.probe = nullptr;
  tries_ = 0;
  EXPECT_EQ(Choose().why, "this host has no NVIDIA driver");
  EXPECT_EQ(tries_, 0) << "nothing to try";
  question_.has_files = true;
  Choose();
  EXPECT_EQ(tries_, 1);
}

TEST_F(DeviceChoiceTest, EverySlotNeedsAGpuOfItsOwn) {
  question_.slots = 3;
  EXPECT_THAT(Error(), HasSubstr("--slots 3: the driver shows 2 GPUs, and each slot needs one"));
  question_.slots = 2;
  EXPECT_EQ(Choose().device, "cuda");
  question_.visible = "1";
  EXPECT_THAT(Error(), HasSubstr("shows 1 GPU with CUDA_VISIBLE_DEVICES=1"));
  question_.asked = "cpu";
  EXPECT_EQ(Choose().device, "cpu");
}

}  // namespace
}  // namespace fpo::worker
