#include "train/reference/record_reference.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/reference/record_key.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/reference/reference_file.h"

namespace fpo::train {
namespace {

Recipe FeatureRecipe() {
  Recipe recipe;
  recipe.model_digest = std::string(64, 'a');
  recipe.forward = "gemma-1";
  recipe.dtype = "float32";
  recipe.device = "cpu";
  SaeRecipe sae;
  sae.digest = std::string(64, 'b');
  sae.site = "resid_post";
  recipe.sae = {sae};
  return recipe;
}

class RecordReferenceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const TokenPair& pair : pairs_) {
      const Sequence sequence{pair.prompt, pair.chosen};
      sequences_.push_back(sequence);
      responses_.push_back({RecordKey(pair.prompt, pair.chosen), pair.prompt, pair.chosen});
      Record record;
      record.sum_logp = -3.5;
      record.tokens = static_cast<uint32_t>(pair.chosen.size());
      record.features = {{{1, 0.5f}, {7, 2.0f}}};
      records_.push_back(record);
    }
    path_ = tiny_.Path("r.fpr");
  }
  void Write(size_t count) {
    const absl::Status status =
        WriteRecords(path_, FeatureRecipe(), absl::MakeSpan(responses_).first(count),
                     {records_.begin(), records_.begin() + static_cast<int64_t>(count)});
    ASSERT_TRUE(status.ok()) << status;
  }
  const TinyRun tiny_;
  const std::vector<TokenPair> pairs_ = RandomPairs(3, 5);
  std::vector<Sequence> sequences_;
  std::vector<ReferenceResponse> responses_;
  std::vector<Record> records_;
  std::string path_;
};

TEST_F(RecordReferenceTest, DenseValuesInOrder) {
  Write(3);
  auto reference = RecordReference::Open({path_, FeatureRecipe(), {8}, at::kCPU});
  ASSERT_TRUE(reference.ok()) << reference.status();
  const auto values = (*reference)->Values(sequences_, ReferenceDetail::kSums);
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_EQ(values->logp[2].item<double>(), -3.5);
  EXPECT_EQ(values->pooled[0][1][7].item<float>(), 2.0f);
  EXPECT_EQ(values->pooled[0].sum().item<float>(), 7.5f);
}

TEST_F(RecordReferenceTest, MissingRecordIsAnErrorNotZero) {
  Write(2);
  auto reference = RecordReference::Open({path_, FeatureRecipe(), {8}, at::kCPU});
  ASSERT_TRUE(reference.ok());
  const auto values = (*reference)->Values(sequences_, ReferenceDetail::kSums);
  EXPECT_TRUE(absl::IsNotFound(values.status()));
  EXPECT_THAT(std::string(values.status().message()),
              ::testing::HasSubstr(ToHex(responses_[2].key)));
}

TEST_F(RecordReferenceTest, WhatIsMissingIsSaidBeforeItIsRead) {
  Write(1);
  auto reference = RecordReference::Open({path_, FeatureRecipe(), {8}, at::kCPU});
  ASSERT_TRUE(reference.ok());
  EXPECT_TRUE((*reference)->Require({responses_[0]}).ok());
  const absl::Status status = (*reference)->Require(responses_);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr(path_ + " lacks 2 of the 3 records"));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(ToHex(responses_[1].key)));
}

TEST_F(RecordReferenceTest, OnlyTheOwnRecipeOrOneThatContainsIt) {
  Write(3);
  Recipe other = FeatureRecipe();
  other.dtype = "bfloat16";
  const auto foreign = RecordReference::Open({path_, other, {8}, at::kCPU});
  EXPECT_EQ(ExitCodeOf(foreign.status()), ExitCode::kForeignCache);
  EXPECT_THAT(std::string(foreign.status().message()),
              ::testing::HasSubstr("this cache does not belong to this model"));
  const auto margin = RecordReference::Open({path_, MarginRecipe(FeatureRecipe()), {}, at::kCPU});
  EXPECT_TRUE(margin.ok()) << margin.status();
}

TEST_F(RecordReferenceTest, IndexOutsideTheSaeIsDataLoss) {
  Write(3);
  auto reference = RecordReference::Open({path_, FeatureRecipe(), {4}, at::kCPU});
  ASSERT_TRUE(reference.ok());
  EXPECT_TRUE(absl::IsDataLoss((*reference)->Values(sequences_, ReferenceDetail::kSums).status()));
}

}  // namespace
}  // namespace fpo::train
