#include "train/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/temp_folder.h"
#include "train/events/exit_status.h"
#include "train/kernel_choice.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Device, CpuIsAlwaysThere) {
  const auto device = ChooseDevice("cpu");
  ASSERT_TRUE(device.ok());
  EXPECT_TRUE(device->device.is_cpu());
  EXPECT_EQ(TryDevice(*device).value(), "cpu");
}

TEST(Device, WithoutADriverCudaSaysSoAndAutoTakesTheCpu) {
  const fpo::testing::TempFolder dev;
  const CudaDriverPlace none = {"libcuda.so.1", dev.path(), dev / "version"};
  const auto cuda = ChooseDevice("cuda", none);
  EXPECT_EQ(ExitCodeOf(cuda.status()), ExitCode::kDevice) << "the host's fault, not the job's";
  EXPECT_THAT(std::string(cuda.status().message()), HasSubstr("/dev/nvidiactl"));
  EXPECT_THAT(std::string(cuda.status().message()), HasSubstr("--device cpu"));
  const DeviceChoice choice = ChooseDevice("auto", none).value();
  EXPECT_TRUE(choice.device.is_cpu());
  EXPECT_THAT(TryDevice(choice).value(), StartsWith("cpu: device cuda: no NVIDIA driver"));
}

// A host with a driver, of which only the fourth GPU is in this container.
class BrokenGpu : public ::testing::Test {
 protected:
  BrokenGpu() {
    fpo::testing::WriteWhole(host_ / "nvidia3", "");
    fpo::testing::WriteWhole(host_ / "nvidia-uvm", "");
    setenv("FPO_FAKE_CUDA", (host_ / "fake").c_str(), 1);
  }
  absl::Status Auto(const std::string& driver) {
    fpo::testing::WriteWhole(host_ / "fake", driver);
    return ChooseDevice("auto", place_).status();
  }

  fpo::testing::TempFolder host_;
  CudaDriverPlace place_ = {FPO_FAKE_CUDA_LIBRARY, host_.path(), host_ / "version"};
};

TEST_F(BrokenGpu, IsAnErrorForAutoTooAndNeverTheCpu) {
  const absl::Status old = Auto("12040 0 1");
  EXPECT_EQ(ExitCodeOf(old), ExitCode::kDevice);
  EXPECT_THAT(std::string(old.message()), HasSubstr("too old: it supports CUDA 12.4"));
  EXPECT_THAT(std::string(old.message()), HasSubstr("use --device cpu"));
  EXPECT_THAT(std::string(Auto("13000 803 0").message()), HasSubstr("(803)"));
  place_.library = "libno-such-cuda.so.1";
  EXPECT_EQ(ExitCodeOf(Auto("13000 0 1")), ExitCode::kDevice);
}

TEST_F(BrokenGpu, HiddenOnPurposeIsTheCpu) {
  setenv("CUDA_VISIBLE_DEVICES", "", 1);
  EXPECT_TRUE(Auto("12040 0 1").ok());
  setenv("CUDA_VISIBLE_DEVICES", "7", 1);
  EXPECT_THAT(std::string(Auto("13000 0 0").message()),
              HasSubstr("CUDA_VISIBLE_DEVICES=7 names no GPU of this host"));
  unsetenv("CUDA_VISIBLE_DEVICES");
}

TEST_F(BrokenGpu, IsReportedWithEachPartThatIsMissing) {
  fpo::testing::WriteWhole(host_ / "fake", "12040 0 1");
  const std::string report = DeviceReport(place_);
  EXPECT_THAT(report, HasSubstr("driver:    the driver is too old"));
  EXPECT_THAT(report, HasSubstr("\nlibraries: LibTorch's CUDA library "));
  EXPECT_THAT(report, HasSubstr("\nkernels:   "));
  EXPECT_THAT(report, HasSubstr("\nNCCL:      "));
}

TEST(KernelChoice, OnACpuIsPlainOrNot) {
  const FastPathsInScope back(ActiveFastPaths());
  EXPECT_EQ(ChooseKernels({c10::Device(c10::kCPU)}).value(), "");
  EXPECT_TRUE(ActiveFastPaths().kernels);
  EXPECT_EQ(ChooseKernels({c10::Device(c10::kCPU), /*plain=*/true}).value(), "");
  EXPECT_FALSE(ActiveFastPaths().kernels);
}

TEST(KernelChoice, FusedAttentionNeedsAGpu) {
  const auto chosen = ChooseKernels({c10::Device(c10::kCPU), false, /*fused_attention=*/true});
  EXPECT_EQ(ExitCodeOf(chosen.status()), ExitCode::kDevice);
  EXPECT_THAT(std::string(chosen.status().message()), HasSubstr("--fused-attention"));
  EXPECT_FALSE(ActiveFastPaths().fused_attention);
}

}  // namespace
}  // namespace fpo::train
