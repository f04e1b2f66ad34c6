#include "train/plan/run_sizes.h"

#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

class RunSizesTest : public ::testing::Test {
 protected:
  RunSizesTest() { facts_.config = TinyForTest(); }
  RunSizes Sizes(const JobConfig& job, bool overlaps = true) const {
    return SizesOfRun(job, facts_, WorkOf(job, facts_, {train_, eval_, {}}), overlaps);
  }

  const TinyRun tiny_;
  PlanFacts facts_;
  const TokenFile train_ = *TokenFile::Open(tiny_.Path("prepared/train.safetensors"));
  const TokenFile eval_ = *TokenFile::Open(tiny_.Path("prepared/eval.safetensors"));
};

TEST_F(RunSizesTest, TheModelIsCountedAsItIsLoaded) {
  for (const Architecture architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    facts_.config = TinyForTest(architecture);
    EXPECT_EQ(Sizes(tiny_.Job("simpo")).step.model.Parameters(), ParameterCount(facts_.config));
  }
}

TEST_F(RunSizesTest, StepsAreThoseOfTheRun) {
  JobConfig job = tiny_.Job("dpo");  // 4 of 12 pairs a step
  job.max_steps = 2;
  const PlannedWork work = WorkOf(job, facts_, {train_, eval_, {}});
  EXPECT_EQ(work.steps, 2);
  EXPECT_GT(work.training.flops, 0);
  EXPECT_GT(work.responses, 0);
  EXPECT_EQ(work.missing.size(), static_cast<size_t>(work.responses));
}

TEST_F(RunSizesTest, TheReferenceIsWhereTheJobHasIt) {
  EXPECT_EQ(Sizes(tiny_.Job("dpo")).reference, ReferencePlace::kRecords);
  EXPECT_EQ(Sizes(tiny_.Job("simpo")).reference, ReferencePlace::kNone);
  EXPECT_FALSE(Sizes(tiny_.Job("simpo")).scores_here);
  const RunSizes tdpo = Sizes(tiny_.Job("tdpo2"));
  EXPECT_EQ(tdpo.reference, ReferencePlace::kMemory);
  EXPECT_TRUE(tdpo.step.compute.reference_head);
}

TEST_F(RunSizesTest, ACheckpointIsCopiedOnlyBesideTraining) {
  JobConfig job = tiny_.Job("simpo");
  job.max_steps = 3;
  job.checkpoint.every_steps = 1;
  EXPECT_TRUE(Sizes(job).copies_checkpoints);
  EXPECT_FALSE(Sizes(job, false).copies_checkpoints) << "written before the next step fills up";
  job.checkpoint.every_steps = 3;
  EXPECT_FALSE(Sizes(job).copies_checkpoints) << "the last step's is written at once";
  job.checkpoint.every_steps = 1;
  job.checkpoint.background = false;
  EXPECT_FALSE(Sizes(job).copies_checkpoints);
}

}  // namespace
}  // namespace fpo::train
