#include "train/runs/data_plan.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

class DataPlanTest : public ::testing::Test {
 protected:
  DataPlanTest() : job_(tiny_.Job("dpo")) { job_.max_steps = 1; }  // 4 of 12 pairs a step
  PairSelection Run() const { return PairsOfRun(job_, {train_, eval_, {}}); }
  // What the steps of all ranks take.
  std::vector<int64_t> Stepped(int64_t world) const {
    std::set<int64_t> pairs;
    for (int64_t rank = 0; rank < world; ++rank) {
      const Batcher batcher = MakeBatcher(job_, train_, rank, world);
      for (int64_t step = 0; step < TotalSteps(job_, batcher); ++step) {
        for (const auto& part : batcher.Step(step).micro_batches) {
          pairs.insert(part.begin(), part.end());
        }
      }
    }
    return {pairs.begin(), pairs.end()};
  }

  const TinyRun tiny_;
  JobConfig job_;
  const TokenFile train_ = *TokenFile::Open(tiny_.Path("prepared/train.safetensors"));
  const TokenFile eval_ = *TokenFile::Open(tiny_.Path("prepared/eval.safetensors"));
};

TEST_F(DataPlanTest, ARunReadsThePairsOfItsStepsInWhateverOrder) {
  job_.reference.probe_pairs = 0;
  for (const bool shuffle : {true, false}) {
    for (const int64_t seed : {1, 42}) {
      for (int64_t steps = 1; steps <= 8; ++steps) {
        job_.data.shuffle = shuffle;
        job_.seed = seed;
        job_.max_steps = steps;
        job_.epochs = 2;
        EXPECT_EQ(Run().train, Stepped(1)) << steps;
        EXPECT_EQ(Run().train, Stepped(2)) << "whatever the number of ranks";
      }
    }
  }
}

TEST_F(DataPlanTest, PackedLengthsCountEveryTokenThatIsComputed) {
  const PairLengths pairs = LengthsOf(train_, 3, Responses::kBoth, /*packed=*/true);
  const PairLengths sft = LengthsOf(train_, 3, Responses::kChosen, /*packed=*/true);
  ASSERT_EQ(pairs.packed.size(), 3u);
  for (int64_t i = 0; i < 3; ++i) {
    const TokenPairView pair = train_.pair(i);
    const auto chosen = static_cast<int64_t>(pair.prompt.size() + pair.chosen.size());
    EXPECT_EQ(sft.packed[i], chosen);
    EXPECT_EQ(pairs.packed[i], chosen + static_cast<int64_t>(pair.rejected.size()));
    EXPECT_EQ(pairs.longest[i], train_.LongestSequence(i));
  }
  EXPECT_TRUE(LengthsOf(train_, 3, Responses::kBoth, /*packed=*/false).packed.empty());
}

TEST_F(DataPlanTest, StepsEndWithTheLastEpoch) {
  job_.max_steps.reset();
  EXPECT_EQ(TotalSteps(job_, MakeBatcher(job_, train_, 0, 1)), 3);
  EXPECT_EQ(Run().train.size(), 12u);
  job_.max_steps = 1000;
  job_.epochs = 2;
  EXPECT_EQ(TotalSteps(job_, MakeBatcher(job_, train_, 0, 1)), 6);
}

TEST_F(DataPlanTest, TheChecksBeforeTheFirstStepReadToo) {
  job_.batch.pairs = 1;
  job_.reference.probe_pairs = 3;
  EXPECT_EQ(Run().train.size(), 3u);
  job_.method.name = "fpo";
  job_.method.constraint
      .clear();  // fpo's own: the SAE is measured on four, of which all are compared
  EXPECT_EQ(Run().train.size(), 4u);
  job_.reference.probe_pairs = 0;
  EXPECT_EQ(Run().train.size(), 1u);
  job_.reference.probe_pairs = 1000;
  EXPECT_EQ(Run().train.size(), 12u);
}

TEST_F(DataPlanTest, AnEvaluationReadsTheFirstPairs) {
  job_.evaluate.pairs = 2;
  EXPECT_EQ(Run().eval, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(PairsOfEvaluation(job_, {train_, eval_, {}}).eval, (std::vector<int64_t>{0, 1}));
  EXPECT_TRUE(PairsOfEvaluation(job_, {train_, eval_, {}}).train.empty());
  job_.evaluate.pairs = 512;
  EXPECT_EQ(Run().eval.size(), 5u);
}

TEST_F(DataPlanTest, KindReferenceIsForAllRunsUnlessItNamesSteps) {
  job_.kind = "reference";
  job_.evaluate.pairs = 2;
  EXPECT_EQ(PairsOfJob(job_, {train_, eval_, {}}).train.size(), 4u);
  EXPECT_EQ(PairsOfJob(job_, {train_, eval_, {}}).eval.size(), 2u);
  job_.max_steps.reset();
  EXPECT_EQ(PairsOfJob(job_, {train_, eval_, {}}).train.size(), 12u);
  EXPECT_EQ(PairsOfJob(job_, {train_, eval_, {}}).eval.size(), 5u);
  job_.kind = "evaluate";
  EXPECT_TRUE(PairsOfJob(job_, {train_, eval_, {}}).train.empty());
}

}  // namespace
}  // namespace fpo::train
