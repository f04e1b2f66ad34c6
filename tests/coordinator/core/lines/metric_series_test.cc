#include "coordinator/core/lines/metric_series.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

EventLine Step(int64_t step, double loss, int32_t rank = 0) {
  return {1, 1, rank, StepLine(step, 100, loss)};
}

TEST(MetricSeries, TheLaterOfTwoPointsAtAStepCounts) {
  MetricSeries series({});
  series.Add(Step(1, 0.5));
  series.Add(Step(2, 0.4));
  series.Add(Step(2, 0.3));
  series.Add(Step(3, 9, /*rank=*/1));
  series.Add({1, 1, 0, PhaseLine("train")});
  series.Add({1, 1, 0, "no event"});
  const auto taken = series.Take(100);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken.at("loss"), (MetricSeries::Points{{1, 0.5}, {2, 0.3}}));
}

TEST(MetricSeries, OnlyWantedNames) {
  MetricSeries series({"accuracy"});
  series.Add(Step(1, 0.5));
  EXPECT_TRUE(series.Take(100).empty());
}

TEST(MetricSeries, LongOnesAreThinnedAndEndWithTheLastPoint) {
  MetricSeries series({});
  for (int64_t step = 1; step <= 1001; ++step) series.Add(Step(step, 1.0));
  const MetricSeries::Points points = series.Take(100).at("loss");
  EXPECT_LE(points.size(), 100u);
  EXPECT_GE(points.size(), 80u);
  EXPECT_EQ(points.back().first, 1001);
}

}  // namespace
}  // namespace fpo::coordinator
