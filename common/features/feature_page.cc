#include "common/features/feature_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/text/json.h"

namespace fpo {
namespace embedded {

extern const absl::string_view kFeaturePageCss;
extern const absl::string_view kFeaturePageHtml;
extern const absl::string_view kFeaturePageJs;

}  // namespace embedded

namespace {

// JSON inside of <script>: nothing in it can end the element, begin a comment, or be a line end
// that old engines do not take inside of a string. These characters stand in strings only.
std::string ScriptJson(absl::string_view json) {
  return absl::StrReplaceAll(json, {{"<", "\\u003c"},
                                    {">", "\\u003e"},
                                    {"&", "\\u0026"},
                                    {"\xE2\x80\xA8", "\\u2028"},
                                    {"\xE2\x80\xA9", "\\u2029"}});
}

std::string PageData(const std::vector<FeatureReport>& reports) {
  std::vector<std::string> texts, doubts;
  for (const FeatureReport& report : reports) {
    texts.emplace_back(absl::StripSuffix(FeatureReportJson(report), "\n"));
  }
  for (const std::string& doubt : ComparisonDoubts(reports)) doubts.push_back(JsonQuote(doubt));
  JsonObject data;
  data.AddRaw("reports", JsonArray(texts));
  data.AddRaw("doubts", JsonArray(doubts));
  return ScriptJson(data.Text());
}

}  // namespace

std::string FeaturePart(const std::vector<FeatureReport>& reports) {
  return absl::StrCat("<style>", embedded::kFeaturePageCss,
                      "</style><section class=\"features\"><noscript>This part needs JavaScript; "
                      "its numbers are in features.json.</noscript>"
                      "<script type=\"application/json\">",
                      PageData(reports), "</script></section><script>", embedded::kFeaturePageJs,
                      "</script>");
}

std::string FeaturePage(const std::vector<FeatureReport>& reports) {
  return absl::StrReplaceAll(embedded::kFeaturePageHtml, {{"<!--PART-->", FeaturePart(reports)}});
}

}  // namespace fpo
