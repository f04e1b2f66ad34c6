#include "common/plan/run_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo {
namespace {

using ::testing::HasSubstr;

RunPlan ExamplePlan() {
  RunPlan plan;
  plan.device = "cpu";
  plan.parameters = 7;
  plan.train_pairs = 12;
  plan.eval_pairs = 5;
  plan.tokens = 100;
  plan.steps = 3;
  plan.micro_batches = 6;
  plan.records = 34;
  plan.records_present = 4;
  plan.host_available_bytes = 1 << 20;
  plan.memory = {{"load", {{"weights", 28, false}}},
                 {"train", {{"weights", 28, true}, {"records", 9, false}}}};
  plan.times = {{"train", 2.5, true, "measured here"}, {"evaluate", 0.5, true, "2 evaluations"}};
  plan.changes = {{"activation_checkpointing=true", "a third more time", 20, 30}};
  plan.notes = {"not looked at: \"disk\""};
  return plan;
}

TEST(RunPlanTest, ComesBackFromItsJson) {
  const RunPlan plan = ExamplePlan();
  const auto back = ParseRunPlan(RunPlanJson(plan));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(*back == plan) << RunPlanJson(*back);
}

TEST(RunPlanTest, StatesTheFullestPhaseOfEachPlace) {
  EXPECT_THAT(RunPlanJson(ExamplePlan()), HasSubstr(R"("host_bytes":28,"device_bytes":28)"));
  EXPECT_THAT(RunPlanJson(ExamplePlan()), HasSubstr(R"("seconds":3,)"));
}

TEST(RunPlanTest, AnUnknownTimeIsNull) {
  RunPlan plan = ExamplePlan();
  plan.times.push_back({"checkpoints", 0, false, "not measured"});
  EXPECT_FALSE(plan.TimeIsKnown());
  EXPECT_THAT(RunPlanJson(plan), HasSubstr(R"("seconds":null,"memory")"));
  EXPECT_THAT(RunPlanJson(plan), HasSubstr(R"("seconds":null,"how":"not measured")"));
  EXPECT_FALSE(ParseRunPlan(RunPlanJson(plan))->times.back().known);
}

TEST(RunPlanTest, WhatIsNoneIsRefused) {
  for (const char* text : {"", "[]", "{}", R"({"memory":[{"phase":"a"}]})", "hello"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseRunPlan(text).status())) << text;
  }
}

}  // namespace
}  // namespace fpo
