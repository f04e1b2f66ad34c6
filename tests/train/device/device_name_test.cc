#include "train/device/device_name.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(DeviceName, AProcessorIsCalledByItsModelName) {
  EXPECT_EQ(
      ProcessorName("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9554 \nflags\t: a\n"
                    "processor\t: 1\nmodel name\t: another\n"),
      "AMD EPYC 9554");
  EXPECT_EQ(ProcessorName("processor\t: 0\nBogoMIPS\t: 50.00\n"), "") << "of an ARM kernel";
  EXPECT_EQ(ProcessorName("model name"), "");
}

TEST(DeviceName, ThereIsAlwaysOne) {
  EXPECT_NE(DeviceName(c10::kCPU), "");
  EXPECT_NE(DeviceName(c10::Device(c10::kCUDA, 0)), "");
}

}  // namespace
}  // namespace fpo::train
