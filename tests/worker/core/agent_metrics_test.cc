#include "worker/core/agent_metrics.h"

#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

using ::testing::HasSubstr;

TEST(AgentMetricsTest, CountsStepsAndExits) {
  MetricsRegistry registry;
  AgentMetrics metrics(&registry);
  TrainEvent step;
  step.kind = EventKind::kStep;
  step.metrics = {
      {"step_seconds", 0.5}, {"pairs", 8}, {"tokens", 100}, {"cache_wait_seconds", 0.25}};
  metrics.OnTrainEvent(step);
  metrics.OnTrainEvent(step);
  TrainEvent other;
  other.kind = EventKind::kEvaluation;
  other.metrics = {{"pairs", 1000}};
  metrics.OnTrainEvent(other);
  metrics.OnRankExit(EndClass::kDone);
  metrics.OnRankExit(EndClass::kMemory);
  metrics.OnRankExit(EndClass::kDone);
  metrics.SetSlots(1, 4);
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("fpo_train_pairs_total 16\n"));
  EXPECT_THAT(text, HasSubstr("fpo_train_tokens_total 200\n"));
  EXPECT_THAT(text, HasSubstr("fpo_train_step_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("fpo_train_wait_seconds_total{for=\"cache\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("fpo_rank_exits_total{class=\"done\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("fpo_rank_exits_total{class=\"memory\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("fpo_slots{state=\"used\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("fpo_slots{state=\"free\"} 3\n"));
}

TEST(AgentMetricsTest, IgnoresNumbersThatAreNone) {
  MetricsRegistry registry;
  AgentMetrics metrics(&registry);
  TrainEvent step;
  step.kind = EventKind::kStep;
  step.metrics = {{"pairs", -1}, {"tokens", std::numeric_limits<double>::quiet_NaN()}};
  metrics.OnTrainEvent(step);
  EXPECT_THAT(registry.Text(), HasSubstr("fpo_train_pairs_total 0\n"));
  EXPECT_THAT(registry.Text(), HasSubstr("fpo_train_tokens_total 0\n"));
}

}  // namespace
}  // namespace fpo::worker
