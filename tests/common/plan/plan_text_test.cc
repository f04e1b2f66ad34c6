#include "common/plan/plan_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kGib = int64_t{1} << 30;

RunPlan Example() {
  RunPlan plan;
  plan.device = "cpu";
  plan.parameters = 268000000;
  plan.steps = 3;
  plan.memory = {{"load", {{"weights", kGib, false}}},
                 {"train", {{"weights", kGib, false}, {"gradients", 3 * kGib, false}}}};
  plan.times = {{"train", 125, true, "measured here"}, {"evaluate", 0, false, "not measured"}};
  plan.changes = {{"batch.tokens_per_microbatch=8192", "slower", 3 * kGib, 0},
                  {"optimizer.name=rmsprop", "another optimiser", 2 * kGib, 0}};
  plan.notes = {"not looked at: disk"};
  return plan;
}

TEST(PlanText, NumbersAreForPeople) {
  EXPECT_EQ(PlanBytes(812 << 20), "812 MiB");
  EXPECT_EQ(PlanBytes(6 * kGib + kGib / 4), "6.2 GiB");
  EXPECT_EQ(PlanSeconds(0.44), "0.4 s");
  EXPECT_EQ(PlanSeconds(200), "3 min 20 s");
  EXPECT_EQ(PlanSeconds(7500), "2 h 5 min");
}

TEST(PlanText, TheTableShowsThePartsOfTheFullestPhase) {
  const std::string table = PlanTable(Example());
  EXPECT_THAT(table, HasSubstr("268 M parameters"));
  EXPECT_THAT(table, HasSubstr("  train                        4.0 GiB  the most\n"));
  EXPECT_THAT(table, HasSubstr("    gradients                  3.0 GiB\n"));
  EXPECT_THAT(table, HasSubstr("2 min 5 s  measured here"));
  EXPECT_THAT(table, HasSubstr("unknown  not measured"));
  EXPECT_THAT(table, HasSubstr("note: not looked at: disk"));
}

TEST(PlanText, AdviceNamesWhatSuffices) {
  const RunPlan plan = Example();
  EXPECT_EQ(PlanAdvice(plan, false, 4 * kGib), "");
  const std::string some = PlanAdvice(plan, false, 5 * kGib / 2);
  EXPECT_THAT(some, AllOf(HasSubstr("needs 4.0 GiB, there are 2.5 GiB"),
                          HasSubstr("--set optimizer.name=rmsprop  then 2.0 GiB"),
                          Not(HasSubstr("tokens_per_microbatch"))));
  EXPECT_THAT(PlanAdvice(plan, false, kGib),
              AllOf(HasSubstr("no single setting"), HasSubstr("tokens_per_microbatch=8192")));
  RunPlan none = plan;
  none.changes.clear();
  EXPECT_THAT(PlanAdvice(none, false, kGib), HasSubstr("a smaller model"));
}

}  // namespace
}  // namespace fpo
