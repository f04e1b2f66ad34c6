#include "worker/trainer/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace fpo::train {
namespace {

TEST(Device, CpuIsAlwaysThere) {
  const auto device = ChooseDevice("cpu");
  ASSERT_TRUE(device.ok());
  EXPECT_TRUE(device->is_cpu());
}

TEST(Device, WithoutADriverCudaSaysSoAndAutoTakesTheCpu) {
  if (std::filesystem::exists("/dev/nvidia0")) GTEST_SKIP() << "this machine has a driver";
  const auto cuda = ChooseDevice("cuda");
  EXPECT_TRUE(absl::IsNotFound(cuda.status()));
  EXPECT_THAT(std::string(cuda.status().message()), testing::HasSubstr("--device cpu"));
  EXPECT_TRUE(ChooseDevice("auto")->is_cpu());
}

}  // namespace
}  // namespace fpo::train
