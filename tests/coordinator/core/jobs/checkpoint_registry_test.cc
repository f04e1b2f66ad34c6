#include "coordinator/core/jobs/checkpoint_registry.h"

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

Checkpoint CheckpointAt(int64_t step, std::optional<double> score = std::nullopt) {
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint.folder = "/out/checkpoints/step-" + std::to_string(step);
  checkpoint.score = score;
  return checkpoint;
}

std::vector<int64_t> StepsOf(const Job& job) {
  std::vector<int64_t> steps;
  for (const Checkpoint& checkpoint : job.checkpoints) steps.push_back(checkpoint.step);
  return steps;
}

using Steps = std::vector<int64_t>;

TEST(CheckpointRegistry, KeepsTheNewestAndTheBest) {
  Job job = RunningJob("j-1");
  for (int64_t step : {10, 20, 30, 40}) {
    AcceptCheckpoint(CheckpointAt(step, step == 10 ? 0.1 : 0.5), &job);
  }
  EXPECT_EQ(StepsOf(job), (Steps{10, 30, 40})) << "newest 2, and the best";
  EXPECT_EQ(job.checkpoint_step, 40);
}

TEST(CheckpointRegistry, PinnedOnesStay) {
  Job job = RunningJob("j-1");
  job.demand.keep_best = 0;
  AcceptCheckpoint(CheckpointAt(10), &job);
  FindCheckpoint(10, &job)->pinned = true;
  for (int64_t step : {20, 30, 40}) AcceptCheckpoint(CheckpointAt(step), &job);
  EXPECT_EQ(StepsOf(job), (Steps{10, 30, 40}));
  AcceptCheckpoint(CheckpointAt(10, 0.5), &job);
  EXPECT_TRUE(FindCheckpoint(10, &job)->pinned) << "written again after a restart";
  EXPECT_EQ(job.checkpoint_step, 40) << "never goes back";
}

TEST(CheckpointRegistry, ASucceededJobKeepsTheFinalOne) {
  Job job = RunningJob("j-1");
  for (int64_t step : {10, 20}) AcceptCheckpoint(CheckpointAt(step, 0.1), &job);
  job.state = JobState::kSucceeded;
  const std::vector<RetentionDecision> plan = PlanRetention(job);
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].why, "final");
  EXPECT_FALSE(plan[1].keep);
  EXPECT_EQ(plan[1].why, "the job has succeeded");
}

TEST(CheckpointRegistry, AnUnknownStepNamesThoseThereAre) {
  Job job = RunningJob("j-1");
  for (int64_t step : {10, 20}) AcceptCheckpoint(CheckpointAt(step), &job);
  const absl::Status status = NoSuchCheckpoint(job, 7);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kNoCheckpoint);
  EXPECT_EQ(status.message(), "job j-1 has no checkpoint of step 7; it has those of steps 10, 20");
}

}  // namespace
}  // namespace fpo::coordinator
