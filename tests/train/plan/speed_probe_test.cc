#include "train/plan/speed_probe.h"

#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"
#include "train/plan/stand_in_reference.h"
#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

class SpeedProbeTest : public ::testing::Test {
 protected:
  absl::StatusOr<MeasuredSpeed> Measure(const JobConfig& job, bool fits) {
    PlanFacts facts;
    facts.config = TinyForTest();
    std::vector<LoadedSae> saes;
    if (UsesFeatures(job)) saes = *LoadFeatureMaps(job, facts.config, at::kCPU);
    for (const LoadedSae& sae : saes) {
      facts.saes.push_back({sae.sae.width(), sae.sae.features(), sae.tap.layer});
      facts.sae_l0.push_back(8);
    }
    const PlannedWork work = WorkOf(job, facts, {train_, eval_, {}});
    return MeasureSpeed({job, facts, work, train_, eval_, saes, at::kCPU, 5, fits});
  }

  const TinyRun tiny_;
  const TokenFile train_ = *TokenFile::Open(tiny_.Path("prepared/train.safetensors"));
  const TokenFile eval_ = *TokenFile::Open(tiny_.Path("prepared/eval.safetensors"));
};

class ProbedMethodTest : public SpeedProbeTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(ProbedMethodTest, IsMeasured) {
  const JobConfig job = tiny_.Job(GetParam());
  const auto speed = Measure(job, true);
  ASSERT_TRUE(speed.ok()) << speed.status();
  EXPECT_GT(speed->train, 0);
  EXPECT_GT(speed->update, 0);
  EXPECT_GT(speed->evaluate, 0);
  EXPECT_EQ(speed->score > 0, ScoresRecords(job));
  EXPECT_EQ(speed->how, "measured here on some micro-batches of the job, with fresh weights");
}

INSTANTIATE_TEST_SUITE_P(Methods, ProbedMethodTest,
                         ::testing::Values("sft", "dpo", "simpo", "tdpo2", "fpo"));

TEST_F(SpeedProbeTest, AModelThatDoesNotFitIsMeasuredByLayers) {
  const auto speed = Measure(tiny_.Job("fpo"), false);
  ASSERT_TRUE(speed.ok()) << speed.status();
  EXPECT_GT(speed->train, 0);
  if (TinyForTest().layers > 2) {
    EXPECT_NE(speed->how.find("one and two"), std::string::npos);
  }
}

TEST(StandInReference, HasTheShapesOfRecords) {
  const std::vector<int32_t> prompt = {2, 3}, response = {4};
  StandInReference reference({16}, at::kCPU);
  const auto values =
      reference.Values({{prompt, response}, {prompt, response}}, ReferenceDetail::kSums);
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(values->logp.sizes(), (std::vector<int64_t>{2}));
  EXPECT_EQ(values->pooled.at(0).sizes(), (std::vector<int64_t>{2, 16}));
  EXPECT_FALSE(reference.Values({}, ReferenceDetail::kDistributions).ok());
}

}  // namespace
}  // namespace fpo::train
