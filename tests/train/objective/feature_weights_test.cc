#include "train/objective/feature_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

class FeatureWeightsTest : public ::testing::Test {
 protected:
  absl::StatusOr<at::Tensor> Read(const std::string& text) {
    return ReadFeatureWeights(scratch_.Put("weights.txt", text), 6);
  }
  ScratchFolder scratch_;
};

TEST_F(FeatureWeightsTest, NamesSomeAndLeavesTheRestAtOne) {
  const auto weights = Read("# control study\n3 10\n\n0 0\n5\t0.5\n");
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_TRUE(at::equal(*weights, at::tensor({0.0f, 1.0f, 1.0f, 10.0f, 1.0f, 0.5f})));
}

TEST_F(FeatureWeightsTest, EveryMistakeNamesItsLine) {
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"1 2\n6 1\n", ":2: feature 6 does not exist"},
           {"1 2\n1 3\n", ":2: feature 1 is given twice"},
           {"1 -2\n", "must be 0 or more"},
           {"1 nan\n", "must be 0 or more"},
           {"1\n", "is not \"index weight\""},
           {"one 2\n", "is not \"index weight\""},
           {"-1 2\n", "is not \"index weight\""}}) {
    const auto weights = Read(text);
    ASSERT_FALSE(weights.ok()) << text;
    EXPECT_NE(weights.status().message().find(says), std::string::npos) << weights.status();
  }
  EXPECT_FALSE(ReadFeatureWeights(scratch_.path() + "/absent", 6).ok());
}

}  // namespace
}  // namespace fpo::train
