#include "train/findings/findings_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace fpo::embedded {

extern const absl::string_view kFindingsPageHtml, kFindingsPageCss, kFindingsPageJs;

}  // namespace fpo::embedded

namespace fpo::train {
namespace {

constexpr absl::string_view kStyleHere = "<!-- style -->", kDataHere = "<!-- data -->",
                            kScriptHere = "<!-- script -->";

// What stands before `mark`; moves `rest` behind it.
absl::string_view Before(absl::string_view mark, absl::string_view* rest) {
  const size_t at = rest->find(mark);
  const absl::string_view before = rest->substr(0, at);
  *rest = rest->substr(at + mark.size());
  return before;
}

}  // namespace

std::string FindingsPage(absl::string_view findings_json) {
  absl::string_view rest = embedded::kFindingsPageHtml;
  const absl::string_view head = Before(kStyleHere, &rest), body = Before(kDataHere, &rest),
                          between = Before(kScriptHere, &rest);
  // A script element ends at the first "</script", even inside a string of JSON.
  const std::string data = absl::StrReplaceAll(findings_json, {{"<", "\\u003c"}});
  return absl::StrCat(head, "<style>", embedded::kFindingsPageCss, "</style>", body,
                      "<script type=\"application/json\" id=\"findings\">", data, "</script>",
                      between, "<script>", embedded::kFindingsPageJs, "</script>", rest);
}

}  // namespace fpo::train
