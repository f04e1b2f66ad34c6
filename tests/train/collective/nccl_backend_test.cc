#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "train/collective/backend.h"

namespace fpo::train {
namespace {

// Two ranks on two devices are the business of a machine that has them: the same contract as
// Gloo's, through JoinC10d with a CUDA device.
TEST(NcclBackend, WithoutCudaItSaysWhatIsMissing) {
  if (std::filesystem::exists("/dev/nvidia0")) GTEST_SKIP() << "this machine has a driver";
  const auto backend = MakeNcclBackend({});
  ASSERT_TRUE(absl::IsNotFound(backend.status())) << backend.status();
  EXPECT_THAT(std::string(backend.status().message()), ::testing::HasSubstr("libfpo_nccl.so"));
  EXPECT_THAT(std::string(backend.status().message()), ::testing::HasSubstr("--device cpu"));
}

}  // namespace
}  // namespace fpo::train
