#include "common/page/figure.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Figure LossFigure() {
  Figure figure{.title = "Loss <x>", .note = "a & b", .unit = "nats", .reference = 0.5};
  figure.series.push_back({.label = "train", .points = {{1, 0.9}, {2, 0.4}, {3, 0.1}}});
  figure.series.push_back({.label = "held out", .points = {{1, 0.8}, {2, 0.6}, {3, 0.7}}});
  return figure;
}

TEST(FigureTest, ItsNumbersAreThereWithoutAScript) {
  const std::string html = FigureHtml(LossFigure(), 7);
  EXPECT_THAT(html, HasSubstr("<figure data-figure=\"7\"><figcaption>Loss &lt;x&gt;, nats<small>a "
                              "&amp; b</small>"));
  EXPECT_THAT(html, HasSubstr("<details class=\"numbers\" open>"));
  EXPECT_THAT(html, HasSubstr("<td>0.8 (step 1)</td><td>0.6 (step 2)</td><td>0.8 (step 1)</td>"
                              "<td>0.7 (step 3)</td>"));
}

TEST(FigureTest, SeriesShareTheirXs) {
  const auto json = nlohmann::json::parse(FiguresJson({LossFigure(), LossFigure()}));
  EXPECT_EQ(json["xs"], nlohmann::json::parse("[[1,2,3]]"));
  const auto& figure = json["figures"][1];
  EXPECT_EQ(figure["reference"], 0.5);
  EXPECT_EQ(figure["series"][1]["x"], 0);
  EXPECT_EQ(figure["series"][1]["y"], nlohmann::json::parse("[0.8,0.6,0.7]"));
  EXPECT_FALSE(figure["series"][1].contains("mean_y"));
}

TEST(FigureTest, ExtremeNumbersStayJson) {
  for (const CurvePoints& points :
       {CurvePoints{{1, 5}}, CurvePoints{{1, 1e300}, {2, -1e300}}, CurvePoints{{1, 1e-300}}}) {
    Figure figure{.title = "x"};
    figure.series.push_back({.label = "s", .points = points});
    EXPECT_FALSE(nlohmann::json::parse(FiguresJson({figure})).empty());
    EXPECT_THAT(FigureHtml(figure, 0), Not(HasSubstr("inf")));
  }
}

}  // namespace
}  // namespace fpo
