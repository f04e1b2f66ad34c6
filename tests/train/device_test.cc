#include "train/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

TEST(Device, CpuIsAlwaysThere) {
  const auto device = ChooseDevice("cpu");
  ASSERT_TRUE(device.ok());
  EXPECT_TRUE(device->device.is_cpu());
  EXPECT_EQ(TryDevice(*device).value(), "cpu");
}

TEST(Device, WithoutADriverCudaSaysSoAndAutoTakesTheCpu) {
  if (std::filesystem::exists("/dev/nvidiactl")) GTEST_SKIP() << "this machine has a driver";
  const auto cuda = ChooseDevice("cuda");
  EXPECT_EQ(ExitCodeOf(cuda.status()), ExitCode::kDevice) << "the host's fault, not the job's";
  EXPECT_THAT(std::string(cuda.status().message()), testing::HasSubstr("/dev/nvidiactl"));
  EXPECT_THAT(std::string(cuda.status().message()), testing::HasSubstr("--device cpu"));
  const DeviceChoice choice = ChooseDevice("auto").value();
  EXPECT_TRUE(choice.device.is_cpu());
  EXPECT_FALSE(choice.driver_is_here);
  EXPECT_THAT(TryDevice(choice).value(), testing::StartsWith("cpu: device cuda: no NVIDIA driver"));
}

}  // namespace
}  // namespace fpo::train
