#include "common/nvidia.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NvidiaTest, AContainerWithOneGpuOfSeveralHasAGpu) {
  const testing::TempFolder dev;
  for (const char* name : {"null", "nvidia-uvm", "nvidia-caps", "nvidiax"}) {
    testing::WriteWhole(dev / name, "");
  }
  EXPECT_THAT(NvidiaDeviceFiles(dev.path()), IsEmpty());
  testing::WriteWhole(dev / "nvidia3", "");
  EXPECT_THAT(NvidiaDeviceFiles(dev.path()), ElementsAre(dev / "nvidia3"));
  testing::WriteWhole(dev / "nvidiactl", "");
  testing::WriteWhole(dev / "dxg", "");
  EXPECT_THAT(NvidiaDeviceFiles(dev.path()),
              ElementsAre(dev / "dxg", dev / "nvidia3", dev / "nvidiactl"));
  EXPECT_THAT(NvidiaDeviceFiles(dev / "absent"), IsEmpty());
}

TEST(NvidiaTest, TheVersionIsReadFromEitherKindOfModule) {
  const testing::TempFolder proc;
  const auto version = [&](const std::string& text) {
    testing::WriteWhole(proc / "version", text);
    return NvidiaDriverVersion(proc / "version");
  };
  EXPECT_EQ(version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 2025\n"
                    "GCC version:  gcc version 12.3.0\n"),
            "580.65.06");
  EXPECT_EQ(
      version("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release\n"),
      "550.54.15");
  EXPECT_EQ(version("something else\n"), "");
  EXPECT_EQ(NvidiaDriverVersion(proc / "absent"), "");
}

TEST(NvidiaTest, OnlyTheseValuesHideEveryGpuOnPurpose) {
  for (const char* hidden : {"", " ", "-1", "NoDevFiles"}) EXPECT_TRUE(HidesEveryGpu(hidden));
  for (const char* seen : {"0", "4,5", "GPU-abc", "MIG-1", "7"}) EXPECT_FALSE(HidesEveryGpu(seen));
  EXPECT_FALSE(HidesEveryGpu(std::nullopt));
}

}  // namespace
}  // namespace fpo
