#include "worker/core/device/nvml.h"

#include "absl/strings/str_cat.h"
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

// "series other labels value" of one GPU.
std::vector<std::string> Of(const std::string& gpu, const std::vector<GpuSample>& samples) {
  std::vector<std::string> found;
  for (const GpuSample& sample : samples) {
    if (sample.labels.at("gpu") != gpu) continue;
    EXPECT_EQ(sample.labels.at("uuid"), "GPU-0000000" + gpu);
    std::string text = sample.series;
    for (const auto& [name, value] : sample.labels) {
      if (name != "gpu" && name != "uuid") absl::StrAppend(&text, " ", value);
    }
    found.push_back(absl::StrCat(text, " ", sample.value));
  }
  return found;
}

TEST_F(NvmlTest, WhatADeviceDoesNotMeasureIsAbsentAndNotZero) {
  const auto probe = *Nvml::Open(options_.nvml);
  ASSERT_TRUE(probe->Sample().ok());
  const std::vector<GpuSample> samples = probe->Sample().value();  // now the XID has come
  EXPECT_THAT(
      Of("0", samples),
      ElementsAre(
          "fpo_gpu_utilisation_ratio 0.97", "fpo_gpu_memory_total_bytes 8.58993e+10",
          "fpo_gpu_memory_used_bytes 3.14573e+08", "fpo_gpu_power_watts 412.5",
          "fpo_gpu_power_limit_watts 700", "fpo_gpu_temperature_celsius 61",
          "fpo_gpu_sm_clock_hertz 1.98e+09", "fpo_gpu_throttled power_cap 0",
          "fpo_gpu_throttled hardware_slowdown 0", "fpo_gpu_throttled temperature_software 0",
          "fpo_gpu_throttled temperature_hardware 1", "fpo_gpu_throttled power_brake 0",
          "fpo_gpu_ecc_errors corrected driver_load 0",
          "fpo_gpu_ecc_errors corrected manufacture 1",
          "fpo_gpu_ecc_errors uncorrected driver_load 10",
          "fpo_gpu_ecc_errors uncorrected manufacture 11", "fpo_gpu_remapped_rows corrected 2",
          "fpo_gpu_remapped_rows uncorrected 1", "fpo_gpu_row_remapping_pending 1",
          "fpo_gpu_row_remapping_failed 0", "fpo_gpu_xid_errors 79 1"));
  EXPECT_THAT(Of("1", samples), ElementsAre("fpo_gpu_utilisation_ratio 0.03",
                                            "fpo_gpu_memory_total_bytes 8.58993e+10",
                                            "fpo_gpu_memory_used_bytes 4.1943e+10"));
  const std::vector<GpuSample> later = probe->Sample().value();
  EXPECT_EQ(Of("0", later).back(), "fpo_gpu_xid_errors 79 1") << "an error is counted once";
}

}  // namespace
}  // namespace fpo::worker
