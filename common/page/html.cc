#include "common/page/html.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace fpo {
namespace {

constexpr int kColours = 8;  // of the style

}  // namespace

std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string JsonForScript(absl::string_view json) {
  // Outside of its strings JSON has none of these.
  return absl::StrReplaceAll(json, {{"<", "\\u003c"},
                                    {">", "\\u003e"},
                                    {"&", "\\u0026"},
                                    {"\xe2\x80\xa8", "\\u2028"},
                                    {"\xe2\x80\xa9", "\\u2029"}});
}

std::string ShortNumber(double value) {
  const double size = std::abs(value);
  if (size >= 1e12) return absl::StrFormat("%.3gT", value / 1e12);
  if (size >= 1e9) return absl::StrFormat("%.3gG", value / 1e9);
  if (size >= 1e6) return absl::StrFormat("%.3gM", value / 1e6);
  if (size >= 1e4) return absl::StrFormat("%.3gk", value / 1e3);
  return absl::StrFormat("%.4g", value);
}

std::string ShortTime(double seconds) {
  if (seconds < 120) return absl::StrFormat("%.1f s", seconds);
  if (seconds < 7200) return absl::StrFormat("%.1f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

std::string PartsBar(const std::vector<std::pair<std::string, double>>& parts,
                     const std::string& unit) {
  double total = 0;
  for (const auto& [label, amount] : parts) total += std::max(amount, 0.0);
  if (total <= 0) return "";
  std::string bar = "<div class=\"partsbar\">", legend = "<div class=\"legend\">";
  int colour = 0;
  for (const auto& [label, amount] : parts) {
    if (amount <= 0) continue;
    const std::string text =
        absl::StrFormat("%s %s (%.0f%%)", ShortNumber(amount), unit, 100 * amount / total);
    absl::StrAppendFormat(&bar,
                          "<div class=\"c%d\" style=\"flex-grow:%.4f\" title=\"%s: %s\"></div>",
                          colour, amount / total, EscapeHtml(label), EscapeHtml(text));
    absl::StrAppendFormat(&legend, "<span><i class=\"c%d\"></i>%s <b>%s</b></span>", colour,
                          EscapeHtml(label), EscapeHtml(text));
    colour = (colour + 1) % kColours;
  }
  return absl::StrCat(bar, "</div>", legend, "</div>");
}

std::string HtmlTable(const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<div class=\"scroll\"><table>";
  for (size_t r = 0; r < rows.size(); ++r) {
    html += r == 0 ? "<thead><tr>" : "<tr>";
    for (size_t c = 0; c < rows[r].size(); ++c) {
      const char* tag = r == 0 || c == 0 ? "th" : "td";
      const char* scope = r == 0 ? " scope=\"col\"" : c == 0 ? " scope=\"row\"" : "";
      absl::StrAppend(&html, "<", tag, scope, ">", EscapeHtml(rows[r][c]), "</", tag, ">");
    }
    html += r == 0 ? "</tr></thead><tbody>" : "</tr>";
  }
  return html + "</tbody></table></div>";
}

}  // namespace fpo
