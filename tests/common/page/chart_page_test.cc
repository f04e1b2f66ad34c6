#include "common/page/chart_page.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ChartPage SmallPage() {
  Figure figure{.title = "Loss"};
  figure.series.push_back({.label = "</script><!--\xe2\x80\xa8", .points = {{1, 2}, {2, 1}}});
  ChartPage page{.title = "a <run>"};
  page.sections = {{.title = "Learning", .figures = {figure}},
                   {.title = "Pairs", .if_empty = "No evaluation in this run."},
                   {.title = "Left out"}};
  return page;
}

size_t Count(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

TEST(ChartPageTest, AsksForNothing) {
  const std::string html = RenderChartPage(SmallPage());
  for (const char* outside : {" src=", "url(", "@import", "<link", "sourceMappingURL"}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  EXPECT_LT(html.size(), 175'000u) << "what a page costs at least";
}

TEST(ChartPageTest, HasTheLibraryWithItsLicence) {
  const std::string html = RenderChartPage(SmallPage());
  EXPECT_THAT(html, HasSubstr("Dygraph"));
  EXPECT_THAT(html, HasSubstr("MIT-licenced"));
  EXPECT_THAT(html, HasSubstr("Permission is hereby granted, free of charge"));
}

TEST(ChartPageTest, TextsStayTexts) {
  const std::string html = RenderChartPage(SmallPage());
  EXPECT_THAT(html, HasSubstr("<h1>a &lt;run&gt;</h1>"));
  EXPECT_THAT(html, HasSubstr("\\u003c/script\\u003e\\u003c!--\\u2028"));
  EXPECT_EQ(Count(html, "</script>"), 3u) << "data, library, script";
}

TEST(ChartPageTest, SaysWhatIsMissing) {
  const std::string html = RenderChartPage(SmallPage());
  EXPECT_THAT(html, HasSubstr("<h2>Pairs</h2><p class=\"none\">No evaluation in this run.</p>"));
  EXPECT_THAT(html, Not(HasSubstr("Left out")));
}

TEST(ChartPageTest, WithoutFiguresThereIsNoScript) {
  EXPECT_THAT(RenderChartPage({.title = "x"}), Not(HasSubstr("<script")));
}

}  // namespace
}  // namespace fpo
