#pragma once

#include <sys/stat.h>

#include <cstdlib>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"
#include "worker/core/device/device_probe.h"

namespace fpo::worker {

// A made-up NVML library with two devices, whose memory in use a file says, and a folder for a
// made-up nvidia-smi.
class DeviceFixture : public ::testing::Test {
 protected:
  DeviceFixture() {
    Use("300 40000");
    setenv("FPO_FAKE_NVML", (folder_ / "used").c_str(), 1);
    options_.nvml = FPO_FAKE_NVML_LIBRARY;
    options_.path = folder_.path();
  }
  void Use(const std::string& text) { fpo::testing::WriteWhole(folder_ / "used", text); }
  void WriteSmi(const std::string& script) {
    fpo::testing::WriteWhole(folder_ / "nvidia-smi", "#!/bin/sh\n" + script);
    chmod((folder_ / "nvidia-smi").c_str(), 0755);
  }

  fpo::testing::TempFolder folder_;
  Spawner spawner_;
  DeviceProbeOptions options_;
};

}  // namespace fpo::worker
