#include "train/report/report_chart.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace fpo::train {
namespace {

TEST(ReportChartTest, Numbers) {
  EXPECT_EQ(HumanNumber(0), "0");
  EXPECT_EQ(HumanNumber(0.69314), "0.6931");
  EXPECT_EQ(HumanNumber(9999), "9999");
  EXPECT_EQ(HumanNumber(12500), "12.5k");
  EXPECT_EQ(HumanNumber(-3.2e6), "-3.2M");
  EXPECT_EQ(HumanNumber(5e-7), "5e-07");
}

TEST(ReportChartTest, EscapesText) {
  EXPECT_EQ(EscapeHtml("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
}

TEST(ReportChartTest, DrawsSeriesInsideTheFrame) {
  Chart chart{.title = "Loss <x>", .reference = 0.5};
  chart.series.push_back({"train", {{1, 0.9}, {2, 0.4}, {3, 0.1}}, 0, true, false});
  const std::string html = RenderChart(chart);
  EXPECT_TRUE(absl::StrContains(html, "Loss &lt;x&gt;"));
  EXPECT_TRUE(absl::StrContains(html, "class=\"reference\""));
  EXPECT_TRUE(absl::StrContains(html, "<title>step 3: 0.1</title>"));
  EXPECT_FALSE(absl::StrContains(html, "nan"));
  EXPECT_FALSE(absl::StrContains(html, "inf"));
}

TEST(ReportChartTest, EdgeCases) {
  EXPECT_EQ(RenderChart({.title = "empty"}), "");
  for (const MetricPoints& points :
       {MetricPoints{{1, 5}}, MetricPoints{{1, 0}, {2, 0}}, MetricPoints{{1, -3}, {1, -3}},
        MetricPoints{{1, 1e300}, {2, -1e300}}, MetricPoints{{1, 1e-300}, {2, 2e-300}}}) {
    Chart chart{.title = "x"};
    chart.series.push_back({"s", points, 0, false, false});
    const std::string html = RenderChart(chart);
    EXPECT_FALSE(html.empty());
    EXPECT_FALSE(absl::StrContains(html, "nan")) << html;
  }
}

TEST(ReportChartTest, TimeBar) {
  const std::string html = RenderTimeBar({{"train", 30}, {"reference", 10}, {"load", 0}});
  EXPECT_TRUE(absl::StrContains(html, "75%"));
  EXPECT_FALSE(absl::StrContains(html, "load"));
  EXPECT_EQ(RenderTimeBar({}), "");
}

}  // namespace
}  // namespace fpo::train
