#include "train/kernels/kernel_set.h"

#include <ATen/Version.h>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(KernelSet, IsTheOneOfTheProcessorThatLibTorchComputesFor) {
  EXPECT_EQ(KernelsFor(at::get_cpu_capability().c_str()).name, at::get_cpu_capability());
}

TEST(KernelSet, IsThatOfAnyProcessorWhenTheNameIsUnknown) {
  EXPECT_STREQ(KernelsFor("ZVECTOR").name, "DEFAULT");
  EXPECT_STREQ(KernelsFor("").name, "DEFAULT");
}

}  // namespace
}  // namespace fpo::train
