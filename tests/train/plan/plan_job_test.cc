#include "train/plan/plan_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

class PlanJobTest : public ::testing::Test {
 protected:
  RunPlan Plan(const JobConfig& job, const std::string& out = "out") const {
    const auto plan =
        PlanJob(job, {tiny_.Path("prepared"), tiny_.Path(out), at::kCPU, /*seconds_max=*/2});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.value_or(RunPlan());
  }
  const TinyRun tiny_;
};

TEST_F(PlanJobTest, StatesPhasesOfMemoryAndTime) {
  const RunPlan plan = Plan(tiny_.Job("fpo"));
  std::vector<std::string> memory, times;
  for (const PhaseMemory& phase : plan.memory) memory.push_back(phase.phase);
  for (const PhaseTime& time : plan.times) times.push_back(time.phase);
  EXPECT_THAT(memory, ::testing::IsSupersetOf({"load", "reference", "train", "evaluate"}));
  EXPECT_THAT(times, ::testing::IsSupersetOf({"start", "prepare", "load", "reference", "train",
                                              "evaluate", "checkpoints"}));
  EXPECT_TRUE(plan.TimeIsKnown());
  EXPECT_EQ(plan.steps, 3);
  EXPECT_EQ(plan.records_present, 0);
}

TEST_F(PlanJobTest, RecordsOfAnEarlierRunAreNotComputedAgain) {
  const JobConfig job = tiny_.Job("dpo");
  const RunPlan before = Plan(job, "run");
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("run")).ok());
  const RunPlan after = Plan(job, "run");
  EXPECT_EQ(after.records_present, before.records);
  for (const PhaseTime& time : after.times) {
    if (time.phase == "reference") {
      EXPECT_EQ(time.seconds, 0) << time.how;
    }
  }
}

TEST_F(PlanJobTest, WithoutMeasuringTimesAreUnknown) {
  const auto plan = PlanJob(tiny_.Job("simpo"), {tiny_.Path("prepared"), "", at::kCPU, 0});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->TimeIsKnown());
  EXPECT_GT(HostBytes(plan->memory), 0);
}

TEST_F(PlanJobTest, LeavesNothingBehind) {
  Plan(tiny_.Job("simpo"), "never");
  EXPECT_FALSE(std::filesystem::exists(tiny_.Path("never")));
  for (const auto& entry : std::filesystem::directory_iterator(tiny_.Path(""))) {
    EXPECT_EQ(entry.path().filename().string().find(".fpo-plan"), std::string::npos) << entry;
  }
}

TEST_F(PlanJobTest, AnAdapterTakesLessThanTheWeights) {
  JobConfig job = tiny_.Job("dpo");
  const RunPlan whole = Plan(job);
  job.adapter.kind = "lora";
  job.adapter.rank = 2;
  const RunPlan adapted = Plan(job);
  const auto trained = [](const RunPlan& plan) {
    int64_t bytes = 0;
    for (const PhaseMemory& phase : plan.memory) {
      for (const MemoryPart& part : phase.parts) {
        if (phase.phase == "train" && part.name == "optimiser moments") bytes += part.bytes;
      }
    }
    return bytes;
  };
  EXPECT_GT(trained(adapted), 0);
  EXPECT_LT(trained(adapted), trained(whole));
  EXPECT_TRUE(adapted.TimeIsKnown());
  job.adapter.targets = {"lm_head"};
  EXPECT_FALSE(PlanJob(job, {tiny_.Path("prepared"), "", at::kCPU, 0}).ok());
}

TEST_F(PlanJobTest, OtherKindsHaveNone) {
  JobConfig job = tiny_.Job("simpo");
  job.kind = "sae";
  const auto plan = PlanJob(job, {});
  EXPECT_TRUE(absl::IsUnimplemented(plan.status()));
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("kind sae"));
}

}  // namespace
}  // namespace fpo::train
