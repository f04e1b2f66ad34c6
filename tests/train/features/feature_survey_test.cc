#include "train/features/feature_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/train/features/planted_models.h"
#include "train/reference/response_scores.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FeatureSurveyTest : public ::testing::Test {
 protected:
  FeatureSurveyTest() { options_.spans = 2; }

  absl::StatusOr<Survey> Run(ReferenceSource* records = nullptr, bool with_model = true) {
    const SurveyModels models{after_, with_model ? &before_ : nullptr, records, saes_, none_};
    return SurveyFeatures(models, pairs_, 100, options_);
  }

  const ScratchFolder scratch_;
  const Gemma before_ = PlantedModel(0), after_ = PlantedModel(2);
  const std::vector<LoadedSae> saes_ = CoordinateSae();
  const Tokenizer none_ = Tokenizer::Absent({absl::NotFoundError("none"), 61, 2, 1});
  const TokenFile pairs_ = WritePairs(scratch_, RandomPairs(7, 3));
  SurveyOptions options_;
};

// Codes before of feature 3 lie `off` above the policy's on every chosen response.
class PlantedRecords final : public ReferenceSource {
 public:
  PlantedRecords(const Gemma& model, const std::vector<LoadedSae>& saes)
      : model_(model), saes_(saes) {}
  absl::StatusOr<ReferenceValues> Values(const std::vector<Sequence>& sequences,
                                         ReferenceDetail) override {
    const at::NoGradGuard no_grad;
    auto batch = MakeSequenceBatch(sequences, at::kCPU);
    ScoringOptions scoring;
    scoring.taps = {saes_[0].tap};
    const at::Tensor rows = ForwardRows(model_, *batch, scoring).sites[0];
    ReferenceValues values;
    values.pooled = {saes_[0].sae.PooledFeatures({rows, batch->response_of_row, batch->sequences})};
    values.pooled[0].narrow(0, 0, batch->sequences / 2).select(1, 3) += 0.75;
    return values;
  }

 private:
  const Gemma& model_;
  const std::vector<LoadedSae>& saes_;
};

TEST_F(FeatureSurveyTest, ThePlantedFeatureAloneMoves) {
  const auto survey = Run();
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_EQ(survey->pairs, 7);
  ASSERT_THAT(survey->saes, SizeIs(1));
  const SaeMovement& sae = survey->saes[0];
  EXPECT_THAT(sae.chosen, ElementsAre(kPlanted));
  EXPECT_THAT(sae.rejected, ElementsAre(kPlanted));
  ASSERT_THAT(sae.moved, SizeIs(1));
  EXPECT_THAT(sae.others, IsEmpty());
  const MovedFeature& planted = sae.moved[0];
  EXPECT_DOUBLE_EQ(planted.chosen->share, 1);
  EXPECT_GT(planted.chosen->moved, 0.1);
  ASSERT_THAT(planted.spans, SizeIs(2));
  const FeatureSpan& span = planted.spans[0];
  const auto at = static_cast<size_t>(span.strongest);
  EXPECT_NE(span.before[at], span.after[at]);
  const TokenPairView pair = pairs_.pair(span.pair);
  const auto& side = span.side == "chosen" ? pair.chosen : pair.rejected;
  EXPECT_EQ(span.tokens[at], " #" + std::to_string(side[static_cast<size_t>(span.position) + at]));
}

TEST_F(FeatureSurveyTest, RecordsAreTheCodesBefore) {
  PlantedRecords records(after_, saes_);
  const auto survey = Run(&records, /*with_model=*/false);
  ASSERT_TRUE(survey.ok()) << survey.status();
  const SaeMovement& sae = survey->saes[0];
  EXPECT_THAT(sae.chosen, ElementsAre(3));
  EXPECT_THAT(sae.rejected, IsEmpty());
  EXPECT_NEAR(sae.moved[0].chosen->change(), -0.75, 1e-6);
  EXPECT_NEAR(sae.moved[0].rejected->change(), 0, 1e-6);
  EXPECT_THAT(sae.moved[0].spans[0].before, IsEmpty()) << "unknown is not zero";
  EXPECT_FALSE(sae.before.has_value());
  EXPECT_TRUE(sae.after.has_value());
}

TEST_F(FeatureSurveyTest, NoReferenceIsAnError) {
  EXPECT_THAT(std::string(Run(nullptr, false).status().message()),
              HasSubstr("neither the reference model nor its records"));
}

TEST_F(FeatureSurveyTest, BatchesDoNotMatter) {
  const Survey whole = *Run();
  options_.tokens_per_batch = 1;
  const Survey single = *Run();
  const FeatureSide a = *whole.saes[0].moved[0].chosen, b = *single.saes[0].moved[0].chosen;
  EXPECT_NEAR(a.before, b.before, 1e-5);
  EXPECT_NEAR(a.after, b.after, 1e-5);
  EXPECT_NEAR(*whole.saes[0].after->ce_sae, *single.saes[0].after->ce_sae, 1e-5);
}

TEST_F(FeatureSurveyTest, WhatIsBehindTheListsMovedLessThanTheFloor) {
  const Gemma other = Gemma::Random(TinyForTest(), 4, at::kFloat);
  options_.top = 2;
  options_.others = 3;
  const auto survey =
      SurveyFeatures({after_, &other, nullptr, saes_, none_}, pairs_, 100, options_);
  const SaeMovement& sae = survey->saes[0];
  EXPECT_THAT(sae.chosen, SizeIs(2));
  EXPECT_THAT(sae.others, SizeIs(3));
  EXPECT_GT(sae.floor, 0);
  for (const MovedFeature& feature : sae.others) {
    EXPECT_GE(std::max(std::abs(feature.chosen->change()), std::abs(feature.rejected->change())),
              sae.floor);
    EXPECT_THAT(feature.spans, IsEmpty());
  }
}

TEST_F(FeatureSurveyTest, EndsWithinItsTimeWithFewerPairs) {
  options_.tokens_per_batch = 1;
  options_.limit = absl::Seconds(100);
  int asked = 0;
  options_.now = [&] { return absl::UnixEpoch() + absl::Seconds(10 * asked++); };
  // After the batch at whose end more than 30 s have passed.
  const auto survey = Run();
  ASSERT_TRUE(survey.ok());
  EXPECT_EQ(survey->pairs, 4);
  EXPECT_GE(survey->saes[0].fit_pairs, 1);
}

TEST_F(FeatureSurveyTest, StopsWhenAsked) {
  int batches = 0;
  options_.tokens_per_batch = 1;
  options_.stop = [&] { return ++batches > 3; };
  EXPECT_TRUE(absl::IsCancelled(Run().status()));
}

TEST_F(FeatureSurveyTest, PairsWithoutARejectedSide) {
  std::vector<TokenPair> pairs = RandomPairs(4, 2);
  for (TokenPair& pair : pairs) pair.rejected.clear();
  const ScratchFolder scratch;
  const TokenFile chosen_only = WritePairs(scratch_, pairs);
  options_.both_sides = false;
  const auto survey =
      SurveyFeatures({after_, &before_, nullptr, saes_, none_}, chosen_only, 100, options_);
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_THAT(survey->saes[0].chosen, ElementsAre(kPlanted));
  EXPECT_THAT(survey->saes[0].rejected, IsEmpty());
  EXPECT_FALSE(survey->saes[0].moved[0].rejected.has_value());
}

}  // namespace
}  // namespace fpo::train
