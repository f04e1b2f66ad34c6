#include "common/page/html.h"

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HtmlTest, Numbers) {
  EXPECT_EQ(ShortNumber(0), "0");
  EXPECT_EQ(ShortNumber(0.69314), "0.6931");
  EXPECT_EQ(ShortNumber(9999), "9999");
  EXPECT_EQ(ShortNumber(12500), "12.5k");
  EXPECT_EQ(ShortNumber(-3.2e6), "-3.2M");
  EXPECT_EQ(ShortNumber(5e-7), "5e-07");
  EXPECT_EQ(ShortTime(94.24), "94.2 s");
  EXPECT_EQ(ShortTime(3600), "60.0 min");
  EXPECT_EQ(ShortTime(9000), "2.5 h");
}

TEST(HtmlTest, EscapesText) {
  EXPECT_EQ(EscapeHtml("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
}

TEST(HtmlTest, JsonCannotLeaveItsScript) {
  const std::string hostile = "</script><!-- <script> ]]> & \xe2\x80\xa8 \xe2\x80\xa9";
  const std::string json = nlohmann::json({{hostile, hostile}}).dump();
  const std::string safe = JsonForScript(json);
  for (const char* way_out : {"<", ">", "&", "\xe2\x80\xa8", "\xe2\x80\xa9"}) {
    EXPECT_THAT(safe, Not(HasSubstr(way_out)));
  }
  EXPECT_EQ(nlohmann::json::parse(safe), nlohmann::json::parse(json)) << "and means the same";
}

TEST(HtmlTest, PartsHaveTheirShares) {
  const std::string html = PartsBar({{"train <x>", 30}, {"reference", 10}, {"load", 0}}, "s");
  EXPECT_THAT(html, HasSubstr("train &lt;x&gt; <b>30 s (75%)</b>"));
  EXPECT_THAT(html, Not(HasSubstr("load")));
  EXPECT_EQ(PartsBar({{"load", 0}}, "s"), "");
}

TEST(HtmlTest, TablesHaveHeaders) {
  EXPECT_THAT(HtmlTable({{"", "a<b"}, {"loss", "1"}}),
              HasSubstr("<th scope=\"col\">a&lt;b</th></tr></thead><tbody><tr><th "
                        "scope=\"row\">loss</th><td>1</td></tr>"));
}

}  // namespace
}  // namespace fpo
