#include "train/report/report_metrics.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(ReportMetricsTest, SeriesByName) {
  const RunMetrics metrics = ParseMetrics(
      "{\"step\":1,\"loss\":0.5,\"lr\":null}\n{\"step\":2,\"loss\":0.25,\"eval_loss\":0.75}\n{"
      "\"step\":3,\"lo");
  ASSERT_NE(metrics.Find("loss"), nullptr);
  EXPECT_EQ(*metrics.Find("loss"), (CurvePoints{{1, 0.5}, {2, 0.25}}));
  EXPECT_EQ(*metrics.Find("eval_loss"), (CurvePoints{{2, 0.75}}));
  EXPECT_EQ(metrics.Find("lr"), nullptr);
  EXPECT_EQ(metrics.skipped_lines, 1);
  EXPECT_EQ(metrics.last_step, 2);
  EXPECT_EQ(metrics.longest, 2u);
}

}  // namespace
}  // namespace fpo::train
