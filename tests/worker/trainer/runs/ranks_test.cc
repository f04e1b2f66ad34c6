// Several ranks over Gloo, as processes.

#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <filesystem>
#include <iostream>

#include "absl/time/clock.h"
#include "common/train_protocol.h"
#include "tests/worker/trainer/runs/trainer_process.h"
#include "tests/worker/trainer/support/free_port.h"
#include "worker/trainer/collective/c10d_process_group.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

class RanksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    C10dOptions alone;
    alone.timeout = absl::Seconds(5);
    if (absl::IsUnimplemented(JoinC10d(alone).status())) GTEST_SKIP() << "built without Gloo";
    trainer_.job.batch.pairs = 6;
    trainer_.job.epochs = 100;
    trainer_.job.max_steps = 10;
    trainer_.job.optimizer.lr = 1e-3;  // as in the golden trajectories
    trainer_.job.checkpoint.every_steps = 3;
    trainer_.job.evaluate.every_steps = 5;
    trainer_.Finish("warm");
    fs::rename(trainer_.Out("warm") + "/reference.fpr", trainer_.Out("reference.fpr"));
  }
  std::string Model(const std::string& name) const { return trainer_.Out(name) + "/model"; }
  TrainerProcesses trainer_;
};

TEST_F(RanksTest, OneTwoAndFourRanksTakeTheSameSteps) {
  trainer_.Finish("one", 1);
  trainer_.Finish("two", 2);
  trainer_.Finish("four", 4);
  if (HasFatalFailure()) return;
  const auto one = ReadMetrics(trainer_.Out("one"));
  ASSERT_EQ(one.size(), 10u);
  for (const char* name : {"two", "four"}) {
    double worst = 0;
    for (const bool evaluations : {false, true}) {
      const auto alone = ReadMetrics(trainer_.Out("one"), evaluations);
      const auto lines = ReadMetrics(trainer_.Out(name), evaluations);
      ASSERT_EQ(lines.size(), alone.size());
      for (size_t i = 0; i < lines.size(); ++i) {
        const char* loss = evaluations ? "eval_loss" : "loss";
        worst = std::max(worst, std::abs(lines[i].at(loss) - alone[i].at(loss)));
        EXPECT_EQ(lines[i].count("divergence/rejected"), alone[i].count("divergence/rejected"));
      }
    }
    const double weights = WeightDifference(Model("one"), Model(name));
    std::cout << name << " ranks: losses within " << worst << ", weights within " << weights
              << std::endl;
    EXPECT_LT(worst, 1e-6) << name;
    EXPECT_LT(weights, 1e-5) << name;
  }
}

TEST_F(RanksTest, ALostRankEndsTheOthersAndTheRunResumesBitwise) {
  trainer_.job.max_steps = 2000;  // nobody gets there
  for (const int64_t victim : {2, 0}) {
    const std::string name = "lost-" + std::to_string(victim);
    std::vector<testing::Process> ranks = trainer_.StartRanks(name, 3);
    ASSERT_TRUE(trainer_.WaitForStep(name, 4)) << trainer_.Log(name);
    ranks[victim].Signal(SIGKILL);
    const absl::Time killed = absl::Now();
    for (int64_t rank = 0; rank < 3; ++rank) {
      if (rank == victim) continue;
      EXPECT_EQ(ranks[rank].Wait(absl::Seconds(30)), static_cast<int>(ExitCode::kPeerLost))
          << trainer_.Log(name);
    }
    const double seconds = absl::ToDoubleSeconds(absl::Now() - killed);
    std::cout << "rank " << victim << " killed: the others ended after " << seconds << " s"
              << std::endl;
    EXPECT_LT(seconds, 10);
  }
  trainer_.job.max_steps = 12;
  trainer_.Finish("lost-2", 3);
  trainer_.Finish("whole", 3);
  EXPECT_EQ(trainer_.DifferingBytes("whole", "lost-2"), 0);
}

TEST_F(RanksTest, ARankWithOtherFilesEndsAllBeforeTheFirstStep) {
  trainer_.tiny.WriteModel("stale-copy", 7);
  const int port = FreePort();
  trainer_.job.reference.path = trainer_.job.model.path;
  std::vector<testing::Process> ranks;
  ranks.push_back(trainer_.Start("differs", 0, 2, port));
  trainer_.job.model.path = trainer_.tiny.Path("stale-copy");
  ranks.push_back(trainer_.Start("differs-1", 1, 2, port));
  for (testing::Process& rank : ranks) {
    EXPECT_EQ(rank.Wait(absl::Seconds(60)), static_cast<int>(ExitCode::kInvalid));
  }
  for (const char* name : {"differs", "differs-1"}) {
    EXPECT_NE(trainer_.Log(name).find("data-differs: rank 1 does not have the same model.path"),
              std::string::npos)
        << trainer_.Log(name);
  }
  EXPECT_FALSE(fs::exists(trainer_.Out("differs") + "/metrics.jsonl"));
}

TEST_F(RanksTest, StopOfOneRankStopsAllAtOneStep) {
  trainer_.job.max_steps = 2000;
  std::vector<testing::Process> ranks = trainer_.StartRanks("stopped", 2);
  ASSERT_TRUE(trainer_.WaitForStep("stopped", 2)) << trainer_.Log("stopped");
  ranks[1].Signal(SIGTERM);
  for (testing::Process& rank : ranks) {
    EXPECT_EQ(rank.Wait(absl::Seconds(30)), static_cast<int>(ExitCode::kStopped));
  }
  const auto steps = ReadMetrics(trainer_.Out("stopped"));
  const std::string last = std::to_string(static_cast<int64_t>(steps.back().at("step")));
  EXPECT_TRUE(fs::exists(trainer_.Out("stopped") + "/checkpoints/step-" + last));
}

}  // namespace
}  // namespace fpo::train
