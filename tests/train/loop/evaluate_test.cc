#include "train/loop/evaluate.h"

#include <gtest/gtest.h>

#include "tests/train/support/float64_run.h"
#include "tests/train/support/lone_rank.h"
#include "tests/train/support/memory_limit.h"
#include "tests/train/support/tiny_run.h"
#include "train/collective/single_process_group.h"

namespace fpo::train {
namespace {

// SimPO of a tiny model in float64, on five pairs.
class EvaluateTest : public ::testing::Test {
 protected:
  static ObjectiveOptions Simpo() {
    ObjectiveOptions options;
    options.preference.method = Method::kSimpo;
    return options;
  }
  absl::StatusOr<Evaluation> Evaluate(MicroBatchSize* size, ProcessGroup& group,
                                      int64_t pairs_max = 512) const {
    return EvaluatePairs({objective_, pairs_, pairs_max}, size, group);
  }
  const TinyRun tiny_;
  const Gemma model_ = InFloat64(LoadModel({tiny_.Path("model"), "float32"})->model);
  const TokenFile pairs_ = *TokenFile::Open(tiny_.Path("prepared/eval.safetensors"));
  const Objective objective_{model_, Simpo(), nullptr};
};

TEST_F(EvaluateTest, LimitsThePairsAndNamesTheMetrics) {
  SingleProcessGroup group;
  MicroBatchSize size({4096, false}), one({1, false});
  const auto all = Evaluate(&size, group);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->metrics.at("eval_pairs"), 5);
  EXPECT_EQ(all->metrics.count("eval_logps/accuracies"), 1u);
  EXPECT_EQ(all->metrics.count("eval_rewards/margins"), 1u);
  const auto some = Evaluate(&size, group, 2);
  EXPECT_EQ(some->metrics.at("eval_pairs"), 2);
  const auto cut = Evaluate(&one, group);
  EXPECT_NEAR(cut->metrics.at("eval_loss"), all->metrics.at("eval_loss"), 1e-12);
  // On a device that is too small for all pairs at once it is cut until it fits.
  const auto peak = [&](MicroBatchSize* used) {
    const MemoryLimit none(MemoryLimit::kNone);
    EXPECT_TRUE(Evaluate(used, group).ok());
    return none.peak_bytes();
  };
  const int64_t whole = peak(&size), single = peak(&one);
  ASSERT_LT(single, whole);
  MicroBatchSize halved({4096, true});
  const MemoryLimit limit((single + whole) / 2);
  const auto fitted = Evaluate(&halved, group);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_GT(limit.refused(), 0);
  EXPECT_LT(halved.tokens(), 4096);
  EXPECT_NEAR(fitted->metrics.at("eval_loss"), all->metrics.at("eval_loss"), 1e-12);
}

// The means of what is measured of each pair are the metrics, whatever the micro-batches.
TEST_F(EvaluateTest, PairsHaveTheMeansOfTheMetrics) {
  SingleProcessGroup group;
  MicroBatchSize size({4096, false}), one({1, false});
  const auto all = Evaluate(&size, group);
  const auto cut = Evaluate(&one, group);
  ASSERT_TRUE(all.ok() && cut.ok());
  ASSERT_EQ(all->pairs.size(), 5);
  for (const auto field : {PairValues::kLoss, PairValues::kRewardsChosen,
                           PairValues::kRewardsMargin, PairValues::kLogpsRejected}) {
    double sum = 0;
    for (int64_t i = 0; i < 5; ++i) {
      sum += *all->pairs.Get(field, i);
      EXPECT_NEAR(*cut->pairs.Get(field, i), *all->pairs.Get(field, i), 1e-12);
    }
    const std::string name = std::string("eval_") + PairValues::Name(field);
    EXPECT_NEAR(sum / 5, all->metrics.at(name), 1e-12) << name;
  }
}

// What a rank of two would add is what it has.
TEST_F(EvaluateTest, RanksMeasureTheirOwnPairs) {
  MicroBatchSize size({4096, false});
  SingleProcessGroup whole;
  const auto all = Evaluate(&size, whole);
  ASSERT_TRUE(all.ok());
  for (const int64_t rank : {0, 1}) {
    LoneRank group(rank, 2);
    const auto half = Evaluate(&size, group);
    ASSERT_TRUE(half.ok());
    for (int64_t i = 0; i < 5; ++i) {
      const double own = i % 2 == rank ? *all->pairs.Get(PairValues::kLogpsChosen, i) : 0;
      EXPECT_NEAR(*half->pairs.Get(PairValues::kLogpsChosen, i), own, 1e-12) << rank << " " << i;
    }
  }
}

}  // namespace
}  // namespace fpo::train
