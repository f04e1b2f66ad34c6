// Several ranks over Gloo, as processes.

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/time/clock.h"
#include "common/train_protocol.h"
#include "tests/train/runs/trainer_process.h"
#include "tests/train/support/float64_run.h"
#include "tests/train/support/free_port.h"
#include "tests/train/support/trajectory.h"
#include "train/collective/c10d_process_group.h"
#include "train/export/export_checkpoint.h"
#include "train/loop/model_loader.h"
#include "train/report/inspect.h"

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
  // The largest distance from `exact` when the batches are cut into micro-batches in three ways.
  Distance RoundingOfOneRank(const Trajectory& exact) const {
    Distance largest;
    for (const int64_t tokens : {100000, 60, 1}) {
      JobConfig job = trainer_.job;
      job.batch.tokens_per_microbatch = tokens;
      RunOptions run = trainer_.tiny.Run("cut-" + std::to_string(tokens));
      run.reference = trainer_.Out("reference.fpr");
      const absl::Status trained = TrainOnce(job, run);
      EXPECT_TRUE(trained.ok()) << trained;
      largest = Larger(largest, Between(ReadTrajectory(run.out), exact));
    }
    return largest;
  }
  static void Print(const std::string& what, const Distance& distance) {
    std::cout << what << ": metrics within " << distance.metrics << ", weights within "
              << distance.weights << std::endl;
  }
  TrainerProcesses trainer_;
};

// Ranks differ from one another only in the order in which they add. To first order that changes a
// run by its roundings, each at most u of the value it rounds, carried on to the end: by u C at
// most, where u is 2^-24 in float32 and 2^-53 in float64, and C is the job's own, whatever the
// processor and the order of its sums. Beside float32, float64 is exact: so the distance of a
// float32 run of one rank from the float64 run is a draw of what u C comes to on this machine, and
// ranks may lie a few such draws apart in float32, and as many times 2^-29 of them in float64.
//
// How many: three runs of one rank give 219 metrics, and the largest of so many draws is beyond
// their standard deviation but for a chance of 0.68^219. 8 of it are 5.6 standard deviations of the
// difference of two draws: beyond that lies one of fifty million.
TEST_F(RanksTest, OneTwoAndFourRanksTakeTheSameSteps) {
  constexpr double kDraws = 8;
  // Adam moves a weight whose gradient is nothing but rounding by a whole lr. With lr / eps = 1 no
  // weight moves by more than its gradient is off, and C does not hang on the worst of them.
  trainer_.job.optimizer.eps = trainer_.job.optimizer.lr;
  const Trajectory exact = TrainInFloat64(trainer_.tiny, trainer_.job, 1);
  if (HasFatalFailure()) return;
  ASSERT_EQ(exact.metrics.size(), 7 * 10 + 3u);
  const Distance rounding = RoundingOfOneRank(exact);
  Print("one rank in float32, from float64", rounding);
  // More, by golden_test's measure of a trajectory, would not be rounding but another computation.
  EXPECT_LT(rounding.metrics, 1e-4);
  EXPECT_LT(rounding.weights, 1e-4);
  trainer_.Finish("one");
  const Trajectory one = ReadTrajectory(trainer_.Out("one"));
  for (const int64_t world : {2, 4}) {
    const std::string name = std::to_string(world) + "-ranks";
    trainer_.Finish(name, world);
    const Trajectory wide = TrainInFloat64(trainer_.tiny, trainer_.job, world);
    if (HasFatalFailure()) return;
    const Distance in32 = Between(ReadTrajectory(trainer_.Out(name)), one);
    const Distance in64 = Between(wide, exact);
    Print(name + " in float32, from one rank", in32);
    Print(name + " in float64, from one rank", in64);
    EXPECT_LT(in32.metrics, kDraws * rounding.metrics) << name;
    EXPECT_LT(in32.weights, kDraws * rounding.weights) << name;
    EXPECT_LT(in64.metrics, kDraws * 0x1p-29 * rounding.metrics) << name;
    EXPECT_LT(in64.weights, kDraws * 0x1p-29 * rounding.weights) << name;
  }
}

// What four ranks wrote goes on with any number of them.
TEST_F(RanksTest, ACheckpointOfFourRanksGoesOnWithOneAndTwo) {
  trainer_.job.optimizer.eps = trainer_.job.optimizer.lr;  // as above
  trainer_.job.schedule.name = "constant";                 // whatever the number of steps
  trainer_.Finish("one");
  const Trajectory one = ReadTrajectory(trainer_.Out("one"));
  trainer_.job.max_steps = 5;  // where an evaluation is due in any case
  trainer_.Finish("four", 4);
  trainer_.job.max_steps = 10;
  for (const int64_t world : {1, 2}) {
    const std::string name = "then-" + std::to_string(world);
    fs::copy(trainer_.Out("four"), trainer_.Out(name), fs::copy_options::recursive);
    ASSERT_TRUE(
        fs::exists(trainer_.Out(name) + "/checkpoints/step-3/model-rank-3-of-4.safetensors"));
    trainer_.Finish(name, world);
    const Distance distance = Between(ReadTrajectory(trainer_.Out(name)), one);
    Print("four ranks to step 3, then " + std::to_string(world), distance);
    EXPECT_LT(distance.metrics, 1e-6);
    EXPECT_LT(distance.weights, 1e-5);
    EXPECT_NE(trainer_.Log(name).find("checkpoints/step-3 (step 3 of 10)"), std::string::npos)
        << trainer_.Log(name);
    const std::string last = trainer_.Out(name) + "/checkpoints/step-9/model";
    EXPECT_TRUE(fs::exists(last + (world == 1 ? ".safetensors" : "-rank-1-of-2.safetensors")));
  }
}

TEST_F(RanksTest, WhatTwoRanksWroteIsExportedInspectedAndTrainedFrom) {
  trainer_.job.max_steps = 6;
  trainer_.Finish("two", 2);
  const std::string checkpoint = trainer_.Out("two") + "/checkpoints/step-6";
  RecordingSink events;
  const absl::Status exported =
      ExportCheckpoint({checkpoint, trainer_.Out("exported"), "", ""}, events);
  ASSERT_TRUE(exported.ok()) << exported;
  EXPECT_EQ(Slurp(trainer_.Out("exported") + "/model.safetensors"),
            Slurp(trainer_.Out("two") + "/model/model.safetensors"));
  const auto inspected = Inspect(checkpoint);
  ASSERT_TRUE(inspected.ok()) << inspected.status();
  EXPECT_NE(inspected->Text().find("2 ranks"), std::string::npos) << inspected->Text();
  const auto from_checkpoint = LoadModel({checkpoint});
  ASSERT_TRUE(from_checkpoint.ok()) << from_checkpoint.status();
  const auto from_model = LoadModel({trainer_.Out("two") + "/model"});
  ASSERT_TRUE(from_model.ok()) << from_model.status();
  EXPECT_EQ(from_checkpoint->digest, from_model->digest);
  // A bit of the second rank's part.
  const std::string part = checkpoint + "/model-rank-1-of-2.safetensors";
  std::string bytes = Slurp(part);
  bytes.back() ^= 1;
  std::ofstream(part, std::ios::binary) << bytes;
  const absl::Status damaged =
      ExportCheckpoint({checkpoint, trainer_.Out("damaged"), "", ""}, events);
  EXPECT_TRUE(absl::IsDataLoss(damaged)) << damaged;
  EXPECT_NE(damaged.message().find(part), std::string::npos) << damaged;
}

TEST_F(RanksTest, ALostRankEndsTheOthersAndTheRunResumesBitwise) {
  trainer_.job.max_steps = 2000;  // never reached
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

TEST_F(RanksTest, AllRanksStopEarlyAtOneStep) {
  trainer_.job.max_steps = 200;
  trainer_.job.data.eval = {trainer_.Out("eval.jsonl")};
  trainer_.job.evaluate.patience = 2;
  trainer_.job.evaluate.min_improvement = 100;  // none
  trainer_.Finish("early", 2);
  EXPECT_EQ(ReadMetrics(trainer_.Out("early")).size(), 10u);
  EXPECT_NE(Slurp(trainer_.Out("early") + "/run.json").find("stopped early at step 10 of 200"),
            std::string::npos);
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
