// Sharded runs as processes: what a kill at each place of a step leaves, and who goes on with it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/train_protocol.h"
#include "tests/train/runs/trainer_process.h"
#include "tests/train/support/thread_ranks.h"
#include "tests/train/support/trajectory.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

double WeightsApart(const std::string& a, const std::string& b) {
  Trajectory first = ReadTrajectory(a), second = ReadTrajectory(b);
  first.metrics.clear();  // a run that was stopped has one evaluation more
  second.metrics.clear();
  return Between(first, second).weights;
}

class ShardedRanks : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!HasRanks()) GTEST_SKIP() << "built without Gloo: install libgloo-dev";
    trainer_.job.batch.pairs = 6;
    trainer_.job.batch.tokens_per_microbatch = 40;
    trainer_.job.epochs = 100;
    trainer_.job.max_steps = 6;
    trainer_.job.optimizer.lr = trainer_.job.optimizer.eps = 1e-3;
    trainer_.job.optimizer.max_grad_norm = 0.05;
    trainer_.job.checkpoint.every_steps = 2;
    trainer_.job.evaluate.every_steps = 0;
    trainer_.Finish("warm");
    fs::rename(trainer_.Out("warm") + "/reference.fpr", trainer_.Out("reference.fpr"));
    trainer_.job.parallel.shard = GetParam();
  }
  // Runs until rank `victim` is killed at `failpoint`; the other one must notice: at once or, where
  // Gloo misses the end of a connection in the midst of several transfers, after the rank timeout.
  void KillAt(const std::string& name, int64_t victim, const std::string& failpoint) {
    trainer_.failpoints = {{victim, failpoint}};
    trainer_.rank_timeout_seconds = 20;
    std::vector<testing::Process> ranks = trainer_.StartRanks(name, 2);
    EXPECT_EQ(ranks[victim].Wait(absl::Seconds(60)), 128 + 9) << failpoint << trainer_.Log(name);
    EXPECT_EQ(ranks[1 - victim].Wait(absl::Seconds(60)), static_cast<int>(ExitCode::kPeerLost))
        << failpoint << trainer_.Log(name);
    trainer_.failpoints.clear();
    trainer_.rank_timeout_seconds = 600;
  }
  TrainerProcesses trainer_;
};

TEST_P(ShardedRanks, AKillAnywhereInAStepChangesNoBit) {
  trainer_.Finish("whole", 2);
  const bool none = GetParam() == std::string("none");
  std::vector<std::string> places = {"train.exchange.send", "train.exchange.wait",
                                     "train.step.micro_batch", "train.step.updated"};
  if (!none) places.emplace_back("train.update.gather");
  int number = 0;
  for (const std::string& place : places) {
    for (const int64_t victim : {0, 1}) {
      const std::string name = absl::StrCat("killed-", ++number);
      // Of the fourth step, and in the midst of its buckets.
      const int hits_a_step =
          place == "train.exchange.send" || place == "train.exchange.wait" ? 5 : 1;
      KillAt(name, victim, absl::StrCat(place, "=kill@", 3 * hits_a_step + 3));
      trainer_.Finish(name, 2);
      EXPECT_EQ(trainer_.DifferingBytes("whole", name), 0) << place << " of rank " << victim;
    }
  }
}

// The checkpoint is whole: it goes on under any sharding and on any number of ranks.
TEST_P(ShardedRanks, ACheckpointGoesOnOnOtherRanks) {
  trainer_.Finish("one");
  for (const int64_t world : {1, 2}) {
    const std::string name = absl::StrCat("then-", world);
    trainer_.job.max_steps = 4;
    trainer_.Finish(name, 4);
    const auto run = nlohmann::json::parse(Slurp(trainer_.Out(name) + "/run.json"));
    EXPECT_EQ(run.at("sharding"), GetParam());
    EXPECT_EQ(run.at("world"), 4);
    trainer_.job.max_steps = 6;
    trainer_.Finish(name, world);
    EXPECT_LT(WeightsApart(trainer_.Out(name), trainer_.Out("one")), 1e-5) << name;
    const auto steps = ReadMetrics(trainer_.Out(name)), alone = ReadMetrics(trainer_.Out("one"));
    ASSERT_EQ(steps.size(), alone.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_NEAR(steps[i].at("loss"), alone[i].at("loss"), 1e-6) << name << ", step " << i + 1;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shardings, ShardedRanks,
                         ::testing::Values("none", "optimizer", "gradients"),
                         [](const auto& one) { return std::string(one.param); });

TEST(ShardedRanksLog, TheFirstEventsSayWhatIsSharded) {
  if (!HasRanks()) GTEST_SKIP() << "built without Gloo: install libgloo-dev";
  TrainerProcesses trainer;
  trainer.Finish("two", 2);
  EXPECT_THAT(trainer.Log("two"), HasSubstr("optimiser state sharded over 2 ranks"));
  trainer.Finish("one");
  EXPECT_THAT(trainer.Log("one"), ::testing::Not(HasSubstr("sharded")));
}

}  // namespace
}  // namespace fpo::train
