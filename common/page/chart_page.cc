#include "common/page/chart_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/page/html.h"
#include "common/text/json.h"

namespace fpo::embedded {

extern const absl::string_view kChartPageCss;
extern const absl::string_view kChartPageJs;
extern const absl::string_view kDygraphMinCss;
extern const absl::string_view kDygraphMinJs;
extern const absl::string_view kDygraphsLicence;

}  // namespace fpo::embedded

namespace fpo {
namespace {

// A file of the library without its last line, which names a map of its sources: a reader's
// developer tools would ask for that.
absl::string_view WithoutSourceMap(absl::string_view file) {
  const size_t map = file.rfind("sourceMappingURL");
  return map == absl::string_view::npos ? file : file.substr(0, file.rfind('\n', map));
}

// Nothing is loaded, whatever a section brings along.
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

std::string ColumnsJson(const CurvePoints& points) {
  std::vector<std::string> xs, ys;
  for (const auto& [x, y] : points) {
    xs.push_back(JsonNumber(x));
    ys.push_back(JsonNumber(y));
  }
  return absl::StrCat("[", JsonArray(xs), ",", JsonArray(ys), "]");
}

std::string RunsJson(const std::vector<ChartPage::Run>& runs) {
  std::vector<std::string> all;
  for (const ChartPage::Run& run : runs) {
    JsonObject json;
    json.Add("name", run.name);
    json.AddRaw("seconds", ColumnsJson(run.seconds));
    json.AddRaw("pairs", ColumnsJson(run.pairs));
    all.push_back(json.Text());
  }
  return JsonArray(all);
}

std::string Body(const std::vector<PageSection>& sections, std::vector<Figure>* figures) {
  std::string html;
  for (const PageSection& section : sections) {
    std::string inner = section.html;
    if (!section.figures.empty()) {
      inner += "<div class=\"charts\">";
      for (const Figure& figure : section.figures) {
        inner += FigureHtml(figure, figures->size());
        figures->push_back(figure);
      }
      inner += "</div>";
    }
    if (inner.empty() && section.if_empty.empty()) continue;
    if (inner.empty()) {
      inner = absl::StrCat("<p class=\"none\">", EscapeHtml(section.if_empty), "</p>");
    }
    absl::StrAppend(&html, "<section><h2>", EscapeHtml(section.title), "</h2>", inner,
                    "</section>");
  }
  return html;
}

}  // namespace

std::string ChartsJson(const std::vector<ChartPage::Run>& runs,
                       const std::vector<Figure>& figures) {
  return absl::StrCat("{\"runs\":", RunsJson(runs), ",\"charts\":", FiguresJson(figures), "}");
}

const ChartFiles& ServedChartFiles() {
  static const ChartFiles files = {
      absl::StrCat(WithoutSourceMap(embedded::kDygraphMinCss), embedded::kChartPageCss),
      absl::StrCat(WithoutSourceMap(embedded::kDygraphMinJs), "\n;", embedded::kChartPageJs),
      std::string(embedded::kDygraphsLicence)};
  return files;
}

std::string RenderChartPage(const ChartPage& page) {
  std::vector<Figure> figures;
  const std::string body = Body(page.sections, &figures);
  const std::string title = EscapeHtml(page.title);
  const std::string json = ChartsJson(page.runs, figures);
  std::string html = absl::StrCat(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light "
      "dark\"><meta http-equiv=\"Content-Security-Policy\" content=\"",
      kPolicy, "\"><title>", title, "</title><style>", WithoutSourceMap(embedded::kDygraphMinCss),
      embedded::kChartPageCss, "</style></head><body><main><h1>", title, "</h1>", page.lead_html);
  if (figures.empty()) return absl::StrCat(html, body, "</main></body></html>\n");
  absl::StrAppend(
      &html,
      "<noscript><p class=\"none\">Without JavaScript the charts are tables of their first, "
      "lowest, highest and last numbers.</p></noscript><div id=\"controls\"></div>",
      body, "<details><summary>Licence of dygraphs, which draws the charts</summary><pre>",
      EscapeHtml(embedded::kDygraphsLicence), "</pre></details></main>",
      "<script type=\"application/json\" id=\"page-data\">", JsonForScript(json),
      "</script><script>", WithoutSourceMap(embedded::kDygraphMinJs), "</script><script>",
      embedded::kChartPageJs, "</script></body></html>\n");
  return html;
}

}  // namespace fpo
