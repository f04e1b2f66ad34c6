#include "common/features/feature_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <nlohmann/json.hpp>

#include "tests/common/features/sample_report.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// The text of the element with the data.
std::string DataOf(const std::string& page) {
  const std::string begin = "<script type=\"application/json\">";
  const size_t at = page.find(begin) + begin.size();
  return page.substr(at, page.find("</script>", at) - at);
}

TEST(FeaturePageTest, HoldsEveryReportAndRequestsNothing) {
  FeatureReport other = SampleReport();
  other.job = "tiny-dpo";
  const std::string page = FeaturePage({SampleReport(), other});
  const auto data = nlohmann::json::parse(DataOf(page));
  ASSERT_EQ(data["reports"].size(), 2u);
  EXPECT_EQ(data["reports"][1]["job"], "tiny-dpo");
  EXPECT_EQ(*ParseFeatureReport(data["reports"][0].dump()), SampleReport());
  for (const char* word : {"http:", "https:", "src=", "@import", "url(", "fetch("}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_EQ(Count(page, "<html"), 1u);
}

// Rows are hostile: whatever they hold stays data.
TEST(FeaturePageTest, TextsOfTheDataAreNeverMarkup) {
  const std::string bad[] = {"</script><script>alert(1)</script>", "<!--<script>", "&lt;b&gt;",
                             "\xE2\x80\xA8 and \xE2\x80\xA9",      "\"\\\n",       "<!--PART-->"};
  for (const std::string& text : bad) {
    FeatureReport report = SampleReport();
    report.job = report.saes[0].path = report.missing[0] = text;
    report.saes[0].moved[0].label = report.saes[0].moved[0].spans[0].tokens[1] = text;
    const std::string page = FeaturePage({report}), plain = FeaturePage({SampleReport()});
    EXPECT_EQ(Count(page, "<script"), Count(plain, "<script"));
    EXPECT_EQ(Count(page, "</script>"), Count(plain, "</script>"));
    const std::string data = DataOf(page);
    for (const char* sign : {"<", ">", "&", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
      EXPECT_THAT(data, Not(HasSubstr(sign)));
    }
    EXPECT_EQ(nlohmann::json::parse(data)["reports"][0]["saes"][0]["moved"][0]["label"], text);
  }
}

TEST(FeaturePageTest, APartIsASectionWithoutAPage) {
  const std::string part = FeaturePart({SampleReport()});
  EXPECT_THAT(part, HasSubstr("<section class=\"features\">"));
  EXPECT_THAT(part, Not(HasSubstr("<html")));
}

TEST(FeaturePageTest, SaysWhatMakesAComparisonDoubtful) {
  FeatureReport other = SampleReport();
  other.pairs = 1;
  const auto data = nlohmann::json::parse(DataOf(FeaturePage({SampleReport(), other})));
  EXPECT_EQ(data["doubts"].size(), 1u);
}

}  // namespace
}  // namespace fpo
