#include "common/page/figure.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/page/html.h"
#include "common/text/json.h"

namespace fpo {
namespace {

// The distinct lists of x values of a page, as finished JSON.
class SharedXs {
 public:
  size_t Add(const CurvePoints& points) {
    std::string text = "[";
    for (const auto& [x, y] : points) {
      absl::StrAppendFormat(&text, "%s%.9g", text.size() > 1 ? "," : "", x);
    }
    const auto [at, is_new] = places_.emplace(text + "]", texts_.size());
    if (is_new) texts_.push_back(at->first);
    return at->second;
  }
  std::string Json() const { return JsonArray(texts_); }

 private:
  std::map<std::string, size_t> places_;
  std::vector<std::string> texts_;
};

std::string YsJson(const CurvePoints& points) {
  std::string text = "[";
  for (const auto& [x, y] : points) {
    absl::StrAppendFormat(&text, "%s%.5g", text.size() > 1 ? "," : "", y);
  }
  return text + "]";
}

const char* StyleName(FigureSeries::Style style) {
  switch (style) {
    case FigureSeries::Style::kLine:
      return "line";
    case FigureSeries::Style::kDashed:
      return "dashed";
    case FigureSeries::Style::kMarked:
      return "marked";
    case FigureSeries::Style::kPoints:
      return "points";
  }
  return "line";
}

std::string SeriesJson(const FigureSeries& series, SharedXs* xs) {
  JsonObject json;
  json.Add("label", series.label);
  json.Add("style", StyleName(series.style));
  json.Add("colour", series.colour);
  json.Add("run", series.run);
  if (!series.metric.empty()) json.Add("metric", series.metric);
  json.Add("x", xs->Add(series.points));
  json.AddRaw("y", YsJson(series.points));
  if (!series.mean.empty()) {
    json.Add("mean_x", xs->Add(series.mean));
    json.AddRaw("mean_y", YsJson(series.mean));
  }
  return json.Text();
}

std::string Numbers(const Figure& figure) {
  const bool by_step = figure.x_label == "step";
  std::vector<std::vector<std::string>> rows = {{"", "first", "lowest", "highest", "last"}};
  for (const FigureSeries& series : figure.series) {
    if (series.points.empty()) continue;
    const auto [low, high] =
        std::minmax_element(series.points.begin(), series.points.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; });
    const auto text = [&](const std::pair<double, double>& point) {
      return absl::StrCat(
          ShortNumber(point.second), by_step ? " (step " : " (at ",
          by_step ? absl::StrCat(static_cast<int64_t>(point.first)) : ShortNumber(point.first),
          ")");
    };
    rows.push_back({series.label, text(series.points.front()), text(*low), text(*high),
                    text(series.points.back())});
  }
  return HtmlTable(rows);
}

}  // namespace

std::string FigureHtml(const Figure& figure, size_t index) {
  const std::string unit = figure.unit.empty() ? "" : absl::StrCat(", ", figure.unit);
  const std::string note =
      figure.note.empty() ? "" : absl::StrCat("<small>", EscapeHtml(figure.note), "</small>");
  return absl::StrCat("<figure data-figure=\"", index, "\"",
                      figure.is_wide ? " class=\"wide\"" : "", "><figcaption>",
                      EscapeHtml(figure.title), EscapeHtml(unit), note,
                      "</figcaption><details class=\"numbers\" open><summary>Numbers</summary>",
                      Numbers(figure), "</details></figure>");
}

std::string FiguresJson(const std::vector<Figure>& figures) {
  SharedXs xs;
  std::vector<std::string> all;
  for (const Figure& figure : figures) {
    std::vector<std::string> series;
    for (const FigureSeries& each : figure.series) series.push_back(SeriesJson(each, &xs));
    JsonObject json;
    json.Add("title", figure.title);
    json.Add("note", figure.note);
    json.Add("unit", figure.unit);
    json.Add("x_label", figure.x_label);
    json.Add("from_zero", figure.from_zero);
    json.AddRaw("reference", figure.reference ? JsonNumber(*figure.reference) : "null");
    json.AddRaw("series", JsonArray(series));
    all.push_back(json.Text());
  }
  JsonObject json;
  json.AddRaw("xs", xs.Json());
  json.AddRaw("figures", JsonArray(all));
  return json.Text();
}

}  // namespace fpo
