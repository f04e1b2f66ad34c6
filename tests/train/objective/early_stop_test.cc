#include "train/objective/early_stop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

EarlyStop Make(int64_t patience, double min_improvement, const std::string& metric = "loss") {
  JobConfig job;
  job.evaluate.patience = patience;
  job.evaluate.min_improvement = min_improvement;
  job.evaluate.metric = metric;
  return EarlyStop(job);
}

// The index of the evaluation after which the run ends; -1: none.
int64_t EndOf(const EarlyStop& rule, const std::vector<double>& values,
              EarlyStopState* state = nullptr) {
  EarlyStopState own;
  if (state == nullptr) state = &own;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto step = static_cast<int64_t>(i);
    EXPECT_TRUE(rule.Observe(step, {{rule.metric(), values[i]}}, state).ok());
    if (rule.Ends(*state)) return step;
  }
  return -1;
}

TEST(EarlyStopTest, EndsAfterSoManyEvaluationsWithoutImprovement) {
  EXPECT_EQ(EndOf(Make(2, 0), {1, 0.9, 0.95, 0.9, 0.8}), 3) << "equal is no improvement";
  EXPECT_EQ(EndOf(Make(2, 0), {1, 0.9, 0.95, 0.85, 0.9, 0.86}), 5) << "counted from the best";
  EXPECT_EQ(EndOf(Make(1, 0), {1, 1.1}), 1);
  EXPECT_EQ(EndOf(Make(3, 0), {1, 0.9, 0.8, 0.7}), -1);
  EXPECT_EQ(EndOf(Make(2, 0, "rewards/accuracies"), {0.5, 0.6, 0.6, 0.55}), 3);
  EXPECT_EQ(EndOf(Make(2, 0, "rewards/accuracies"), {0.5, 0.6, 0.7, 0.8}), -1);
}

// As transformers has it: each evaluation against the best so far, which also moves by less.
TEST(EarlyStopTest, ASmallImprovementMovesTheBestAndCountsAsNone) {
  EarlyStopState state;
  EXPECT_EQ(EndOf(Make(3, 0.125), {1, 0.875, 0.75, 0.625}, &state), 3);
  EXPECT_EQ(state.best, 0.625);
  EXPECT_EQ(state.best_step, 3);
  EXPECT_EQ(state.waited, 3) << "by 0.125 is not by more than 0.125";
  EXPECT_EQ(EndOf(Make(3, 0.125), {1, 0.75, 0.5, 0.25, 0}), -1);
}

// Runs of the real EarlyStoppingCallback, of falling and of rising metrics.
TEST(EarlyStopTest, EndsWhereTransformersDoes) {
  const char* source = std::getenv("FPO_SOURCE_DIR");
  std::ifstream lines(std::string(source ? source : ".") + "/tests/golden/early_stop.jsonl");
  int cases = 0, ended = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    const auto golden = nlohmann::json::parse(line);
    const EarlyStop rule = Make(golden["patience"], golden["threshold"],
                                golden["greater"].get<bool>() ? "rewards/accuracies" : "loss");
    const int64_t end = EndOf(rule, golden["values"].get<std::vector<double>>());
    EXPECT_EQ(end, golden["stop"].get<int64_t>()) << line;
    ended += end >= 0 ? 1 : 0;
  }
  EXPECT_EQ(cases, 60);
  EXPECT_GT(ended, 40);
}

TEST(EarlyStopTest, WhatIsNotANumberDoesNotImprove) {
  EarlyStopState state;
  EXPECT_EQ(EndOf(Make(2, 0), {1, NAN, 0.5, -INFINITY, NAN}, &state), 4);
  EXPECT_EQ(state.best, 0.5);
  EarlyStopState never;
  const EarlyStop rule = Make(2, 0);
  EXPECT_EQ(EndOf(rule, {NAN, NAN}, &never), 1);
  EXPECT_THAT(rule.Describe(8, 10, never), HasSubstr("it never was a number"));
  EXPECT_EQ(rule.Score({{"eval_loss", NAN}}), std::nullopt);
}

TEST(EarlyStopTest, ScoresAreLowerWhereTheMetricIsBetter) {
  EXPECT_EQ(Make(2, 0).Score({{"eval_loss", 0.25}}), 0.25);
  EXPECT_EQ(Make(2, 0, "rewards/margins").Score({{"eval_rewards/margins", 0.25}}), -0.25);
  EXPECT_EQ(Make(2, 0).Score({}), std::nullopt);
}

TEST(EarlyStopTest, AMetricThatIsNotMeasuredIsNamedWithThoseThatAre) {
  EarlyStopState state;
  const absl::Status status =
      Make(2, 0, "kl/chosen").Observe(0, {{"eval_loss", 1}, {"eval_seconds", 2}}, &state);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("evaluate.metric is eval_kl/chosen"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("eval_loss, eval_seconds"));
}

TEST(EarlyStopTest, SaysWhyTheRunEnded) {
  EarlyStopState state;
  state.best = 0.5;
  state.best_step = 250;
  state.waited = 3;
  EXPECT_EQ(Make(3, 0.01).Describe(400, 1911, state),
            "stopped early at step 400 of 1911: eval_loss has not improved by more than 0.01 for 3 "
            "evaluations; best step 250 (0.5)");
  JobConfig without;
  EXPECT_FALSE(EarlyStop(without).active());
  EXPECT_FALSE(EarlyStop(without).Ends(state));
}

}  // namespace
}  // namespace fpo::train
