#include "train/data/mismatched_responses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int64_t> Others(const std::vector<int64_t>& prompts,
                            const std::vector<uint8_t>& labels) {
  const auto others = MismatchedExamples(prompts, labels);
  EXPECT_TRUE(others.ok()) << others.status();
  return others.value_or(std::vector<int64_t>());
}

TEST(MismatchedExamples, AreThoseBefore) {
  EXPECT_THAT(Others({0, 1, 2, 3}, {1, 1, 1, 1}), ElementsAre(3, 0, 1, 2));
  EXPECT_THAT(Others({}, {}), IsEmpty());
}

// Pairs that became two examples of one prompt: each label's are a ring of their own.
TEST(MismatchedExamples, HaveTheSameLabel) {
  EXPECT_THAT(Others({0, 0, 1, 1, 2, 2}, {1, 0, 1, 0, 1, 0}), ElementsAre(4, 5, 0, 1, 2, 3));
}

// Every response is read once although prompts repeat.
TEST(MismatchedExamples, RotateByTheLongestRun) {
  const std::vector<int64_t> prompts = {0, 0, 0, 1, 1, 2, 3, 4};
  const std::vector<int64_t> others = Others(prompts, std::vector<uint8_t>(8, 1));
  EXPECT_THAT(others, ElementsAre(5, 6, 7, 0, 1, 2, 3, 4));
  EXPECT_EQ(std::set<int64_t>(others.begin(), others.end()).size(), 8u);
}

// The run goes around the ring's end.
TEST(MismatchedExamples, AreNeverOfTheSamePrompt) {
  for (const std::vector<int64_t>& prompts :
       {std::vector<int64_t>{0, 1, 0, 0}, {0, 0, 0, 1}, {0, 1, 0, 1}, {1, 0, 0, 0, 0, 2, 0}}) {
    for (int labels = 0; labels < 1 << prompts.size(); ++labels) {
      std::vector<uint8_t> label;
      for (size_t i = 0; i < prompts.size(); ++i) label.push_back(labels >> i & 1);
      const std::vector<int64_t> others = Others(prompts, label);
      ASSERT_EQ(others.size(), prompts.size());
      for (size_t i = 0; i < prompts.size(); ++i) {
        EXPECT_NE(prompts[static_cast<size_t>(others[i])], prompts[i]);
      }
    }
  }
}

// Of the other label, where one has no second prompt.
TEST(MismatchedExamples, TakeTheOtherLabelsWhereTheyMust) {
  EXPECT_THAT(Others({0, 1, 2}, {1, 1, 0}), ElementsAre(1, 0, 1));
}

TEST(MismatchedExamples, NeedTwoPrompts) {
  const auto others = MismatchedExamples({5, 5}, {1, 0});
  EXPECT_THAT(std::string(others.status().message()),
              ::testing::HasSubstr("all 2 examples have the same prompt"));
}

}  // namespace
}  // namespace fpo::train
