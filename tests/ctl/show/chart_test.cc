#include "ctl/show/chart.h"

#include <cmath>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

using ::testing::HasSubstr;

TEST(Chart, DrawsAFallingLineWithItsEnds) {
  ChartPoints points;
  for (int step = 1; step <= 40; ++step) points.emplace_back(step, 41.0 - step);
  EXPECT_EQ(RenderChart("loss", points, 4, {.columns = 32}),
            "loss  last 1.0000\n"
            "     39.50 |****\n"
            "           |    ******\n"
            "           |          ******\n"
            "    1.5000 |                ****\n"
            "            1                 40\n");
}

TEST(Chart, FitsTheScreen) {
  ChartPoints points;
  for (int step = 1; step <= 5000; ++step) points.emplace_back(step, std::sin(step / 300.0));
  for (const int columns : {0, 40, 80, 200}) {
    const std::string text = RenderChart("wave", points, 8, {.columns = columns, .unicode = true});
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      EXPECT_LE(DisplayWidth(line), columns == 0 ? 80 : columns) << line;
    }
  }
}

TEST(Chart, FlatEmptyAndBrokenSeriesAreDrawnToo) {
  EXPECT_THAT(RenderChart("x", {{1, 2}}, 3, {}), HasSubstr("x  last 2.0000\n"));
  EXPECT_THAT(RenderChart("x", {{1, 2}, {2, 2}}, 3, {}), HasSubstr("*"));
  EXPECT_EQ(RenderChart("x", {{1, NAN}}, 3, {}), "x\n  no finite values\n");
  EXPECT_EQ(RenderChart("x", {}, 3, {}), "x\n  no finite values\n");
  EXPECT_THAT(RenderChart("x", {{1, 1}, {2, INFINITY}, {3, 3}}, 3, {}), HasSubstr("last 3.0000"));
}

}  // namespace
}  // namespace fpo::ctl
