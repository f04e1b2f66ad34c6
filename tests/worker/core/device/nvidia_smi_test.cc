#include "worker/core/device/nvidia_smi.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/device_fixture.h"

namespace fpo::worker {
namespace {

using NvidiaSmiTest = DeviceFixture;
using ::testing::HasSubstr;

TEST_F(NvidiaSmiTest, OddLinesAreErrorsNotDevices) {
  EXPECT_TRUE(ParseNvidiaSmi("\n \n")->empty());
  for (const char* bad : {"0, GPU-1, H100, [N/A], 12, 550", "No devices were found", "0,1,2,3"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseNvidiaSmi(bad).status())) << bad;
  }
}

TEST_F(NvidiaSmiTest, AFailureIsInItsOwnWords) {
  WriteSmi("echo 'NVIDIA-SMI has failed because it could not communicate' >&2; exit 9\n");
  NvidiaSmi smi("nvidia-smi", folder_.path(), &spawner_);
  EXPECT_THAT(std::string(smi.Read().status().message()), HasSubstr("could not communicate"));
  NvidiaSmi absent("nvidia-smi", "/nowhere:", &spawner_);
  EXPECT_TRUE(absl::IsNotFound(absent.Read().status()));
}

}  // namespace
}  // namespace fpo::worker
