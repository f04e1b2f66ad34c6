#include "train/report/report_metrics.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(ReportMetricsTest, SeriesByName) {
  const RunMetrics metrics = ParseMetrics(
      "{\"step\":1,\"loss\":0.5,\"lr\":null}\n{\"step\":2,\"loss\":0.25,\"eval_loss\":0.75}\n{"
      "\"step\":3,\"lo");
  ASSERT_NE(metrics.Find("loss"), nullptr);
  EXPECT_EQ(*metrics.Find("loss"), (MetricPoints{{1, 0.5}, {2, 0.25}}));
  EXPECT_EQ(*metrics.Find("eval_loss"), (MetricPoints{{2, 0.75}}));
  EXPECT_EQ(metrics.Find("lr"), nullptr);
  EXPECT_EQ(metrics.skipped_lines, 1);
  EXPECT_EQ(metrics.last_step, 2);
}

TEST(ReportMetricsTest, SmoothingStartsWithoutBias) {
  const MetricPoints flat = {{1, 3}, {2, 3}, {3, 3}};
  for (const auto& [step, value] : Smoothed(flat, 10)) EXPECT_DOUBLE_EQ(value, 3);
  const MetricPoints jump = Smoothed({{1, 0}, {2, 1}}, 3);
  EXPECT_DOUBLE_EQ(jump[0].second, 0);
  EXPECT_NEAR(jump[1].second, 0.5 / 0.75, 1e-12);
}

TEST(ReportMetricsTest, ThinningKeepsSpikes) {
  MetricPoints points;
  for (int i = 0; i < 10000; ++i) points.emplace_back(i, i == 5001 ? 99 : i % 3);
  const MetricPoints thin = Thinned(points, 100);
  EXPECT_LE(thin.size(), 100u);
  bool spike = false;
  for (size_t i = 0; i < thin.size(); ++i) {
    spike = spike || thin[i].second == 99;
    if (i > 0) {
      EXPECT_LT(thin[i - 1].first, thin[i].first);
    }
  }
  EXPECT_TRUE(spike);
  EXPECT_EQ(Thinned(points, 20000).size(), 10000u);
}

}  // namespace
}  // namespace fpo::train
