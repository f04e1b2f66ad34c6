#include "worker/core/device/nvml.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/device_fixture.h"

namespace fpo::worker {
namespace {

using NvmlTest = DeviceFixture;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(NvmlTest, NvmlSaysWhatThereIs) {
  const auto probe = *Nvml::Open(options_.nvml);
  EXPECT_EQ(probe->name(), "nvml");
  const std::vector<Device> devices = probe->Read().value();
  EXPECT_THAT(devices, ElementsAre(Device{0, "GPU-00000000", "Fake GPU 80GB", int64_t{80} << 30,
                                          int64_t{300} << 20, "550.54.15"},
                                   Device{1, "GPU-00000001", "Fake GPU 80GB", int64_t{80} << 30,
                                          int64_t{40000} << 20, "550.54.15"}));
}

TEST_F(NvmlTest, ALibraryWithoutADriverAndOtherLibrariesAreErrors) {
  Use("broken");
  EXPECT_THAT(std::string(Nvml::Open(FPO_FAKE_NVML_LIBRARY).status().message()),
              HasSubstr("Driver Not Loaded (9)"));
  EXPECT_TRUE(absl::IsFailedPrecondition(Nvml::Open("libm.so.6").status()));
  EXPECT_TRUE(absl::IsNotFound(Nvml::Open("libno-such-thing.so.1").status()));
}

}  // namespace
}  // namespace fpo::worker
