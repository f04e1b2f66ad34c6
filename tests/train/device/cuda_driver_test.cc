#include "train/device/cuda_driver.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A host whose driver is tests/support/fake_cuda.cc.
class CudaDriverTest : public ::testing::Test {
 protected:
  CudaDriverTest() {
    mkdir((host_ / "dev").c_str(), 0755);
    place_ = {FPO_FAKE_CUDA_LIBRARY, host_ / "dev", host_ / "version"};
    setenv("FPO_FAKE_CUDA", (host_ / "fake").c_str(), 1);
    fpo::testing::WriteWhole(host_ / "version", "NVRM version: NVIDIA Module  550.54.15  Date\n");
    Device("nvidia3");
    Device("nvidia-uvm");
    Driver("13000 0 1");
  }
  void Device(const std::string& name) { fpo::testing::WriteWhole(host_ / ("dev/" + name), ""); }
  void Driver(const std::string& text) { fpo::testing::WriteWhole(host_ / "fake", text); }
  std::string Problem(const std::optional<std::string>& visible = std::nullopt) {
    return std::string(CudaDriverProblem(AskCudaDriver(place_), visible).message());
  }

  fpo::testing::TempFolder host_;
  CudaDriverPlace place_;
};

TEST_F(CudaDriverTest, AContainerThatHasOnlyTheFourthGpuWorks) {
  EXPECT_EQ(Problem(), "");
  EXPECT_EQ(CudaDriverText(AskCudaDriver(place_)), "driver 550.54.15, CUDA 13.0");
}

TEST_F(CudaDriverTest, WithoutDeviceFilesThereIsNoDriver) {
  place_.dev = host_ / "none";
  EXPECT_THAT(Problem(), HasSubstr("no NVIDIA driver on this machine"));
  EXPECT_TRUE(AskCudaDriver(place_).device_files.empty());
}

TEST_F(CudaDriverTest, ADriverTooOldForThisCudaIsNamedWithWhatIsNeeded) {
  Driver("12040 0 1");
  EXPECT_THAT(Problem(), HasSubstr("the driver 550.54.15 is too old: it supports CUDA 12.4, and "
                                   "LibTorch needs CUDA 13.0; install driver 580 or newer"));
}

TEST_F(CudaDriverTest, ABrokenDriverIsNamedWithItsRemedy) {
  Driver("13000 803 0");
  EXPECT_THAT(Problem(), AllOf(HasSubstr("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"),
                               HasSubstr("reboot the host")));
  Driver("13000 802 0");
  EXPECT_THAT(Problem(), HasSubstr("nvidia-fabricmanager"));
  Driver("13000 100 0");
  EXPECT_THAT(Problem(), HasSubstr("finds no GPU"));
  Driver("13000 0 0");
  EXPECT_THAT(Problem(), HasSubstr("the driver shows no GPU"));
  unlink((host_ / "dev/nvidia-uvm").c_str());
  Driver("13000 999 0");
  EXPECT_THAT(Problem(), HasSubstr("/dev/nvidia-uvm is missing"));
}

TEST_F(CudaDriverTest, ALibraryThatIsMissingOrAnotherIsNamed) {
  place_.library = "libno-such-cuda.so.1";
  EXPECT_THAT(Problem(), AllOf(HasSubstr("/dev/nvidia3"), HasSubstr("libno-such-cuda.so.1"),
                               HasSubstr("--gpus")));
  place_.library = "libm.so.6";
  EXPECT_THAT(Problem(), HasSubstr("cuInit is missing"));
}

TEST_F(CudaDriverTest, AFileThatMayNotBeOpenedIsNamed) {
  if (geteuid() == 0) {
    CudaDriver driver = AskCudaDriver(place_);
    driver.denied = "/dev/nvidia3";  // root may open everything
    driver.init = 100;
    EXPECT_THAT(
        std::string(CudaDriverProblem(driver, std::nullopt).message()),
        HasSubstr("/dev/nvidia3 may not be opened by this user: add the user to the group"));
    return;
  }
  chmod((host_ / "dev/nvidia3").c_str(), 0);
  Driver("13000 100 0");
  EXPECT_THAT(Problem(), HasSubstr("/nvidia3 may not be opened by this user"));
}

TEST_F(CudaDriverTest, CudaVisibleDevicesThatHidesOrMissesTheGpusIsNamed) {
  EXPECT_THAT(Problem(""), HasSubstr("CUDA_VISIBLE_DEVICES= hides every GPU"));
  Driver("13000 0 0");
  EXPECT_THAT(Problem("7"), HasSubstr("CUDA_VISIBLE_DEVICES=7 names no GPU of this host"));
}

}  // namespace
}  // namespace fpo::train
