#include "worker/core/device/device_probe.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/device_fixture.h"

namespace fpo::worker {
namespace {

using DeviceProbeTest = DeviceFixture;

TEST_F(DeviceProbeTest, NvmlIsAskedFirst) {
  WriteSmi("exit 1\n");
  const auto probe = FindDeviceProbe(options_, &spawner_);
  ASSERT_NE(probe, nullptr);
  EXPECT_EQ(probe->name(), "nvml");
}

TEST_F(DeviceProbeTest, WithoutNvmlNvidiaSmiIsAsked) {
  options_.nvml = "libno-such-thing.so.1";
  WriteSmi("echo '0, GPU-1, NVIDIA H100 80GB HBM3, 81559, 12, 550.54.15'\n");
  const auto probe = FindDeviceProbe(options_, &spawner_);
  ASSERT_NE(probe, nullptr);
  EXPECT_EQ(probe->name(), "nvidia-smi");
  const std::vector<Device> devices = probe->Read().value();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_EQ(devices[0].name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(devices[0].used_bytes, int64_t{12} << 20);
  // A library without a driver, as on a machine that lost its GPU.
  options_.nvml = FPO_FAKE_NVML_LIBRARY;
  Use("broken");
  EXPECT_EQ(FindDeviceProbe(options_, &spawner_)->name(), "nvidia-smi");
}

TEST_F(DeviceProbeTest, WithoutBothThereAreNone) {
  options_.nvml = "libno-such-thing.so.1";
  EXPECT_EQ(FindDeviceProbe(options_, &spawner_), nullptr);
  WriteSmi("echo 'NVIDIA-SMI has failed because it could not communicate' >&2; exit 9\n");
  EXPECT_EQ(FindDeviceProbe(options_, &spawner_), nullptr);
}

}  // namespace
}  // namespace fpo::worker
