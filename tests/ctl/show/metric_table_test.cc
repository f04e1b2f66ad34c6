#include "ctl/show/metric_table.h"

#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

void Add(v1::MetricsResponse* answer, const std::string& name, double first) {
  v1::MetricSeries* series = answer->add_series();
  series->set_name(name);
  for (int step = 1; step <= 2; ++step) {
    series->add_steps(step);
    series->add_values(first * step);
  }
}

v1::MetricsResponse Answer() {
  v1::MetricsResponse answer;
  Add(&answer, "a_series_of_an_uncommonly_long_name", 1);
  Add(&answer, "loss", 0.25);
  Add(&answer, "rewards/margins", 0.5);
  answer.mutable_series(2)->mutable_steps()->RemoveLast();
  return answer;
}

TEST(MetricTable, APipeGetsAllColumns) {
  const MetricTable table = LayOutMetrics(Answer(), TextStyle());
  EXPECT_EQ(table.hidden, 0);
  EXPECT_EQ(table.text,
            "STEP  a_series_of_an_uncommonly_long_name  loss    rewards/margins\n"
            "1     1.0000                               0.2500  0.5000\n"
            "2     2.0000                               0.5000  -\n");
}

TEST(MetricTable, ATerminalGetsTheUsualOnesThatFit) {
  TextStyle style;
  style.columns = 40;
  const MetricTable table = LayOutMetrics(Answer(), style);
  EXPECT_EQ(table.hidden, 1);
  EXPECT_EQ(table.text,
            "STEP  loss    rewards/margins\n"
            "1     0.2500  0.5000\n"
            "2     0.5000  -\n");
  style.columns = 10;
  EXPECT_EQ(LayOutMetrics(Answer(), style).hidden, 2) << "one column in any case";
  EXPECT_EQ(LayOutMetrics(v1::MetricsResponse(), style).text, "STEP\n");
}

}  // namespace
}  // namespace fpo::ctl
