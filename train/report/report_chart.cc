#include "train/report/report_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fpo::train {
namespace {

constexpr double kWidth = 480, kHeight = 230;
constexpr double kLeft = 52, kRight = 12, kTop = 10, kBottom = 26;
constexpr size_t kPointsMax = 700;

struct AxisRange {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// 1, 2 or 5 times a power of ten, giving about `count` intervals.
double TickStep(double span, int count) {
  const double raw = span / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double unit = raw / power;
  return (unit < 1.5 ? 1 : unit < 3.5 ? 2 : unit < 7.5 ? 5 : 10) * power;
}

// Axis range and drawing coordinates of one chart.
class Frame {
 public:
  Frame(const Chart& chart, AxisRange x, AxisRange y) : x_(x), y_(y) {
    if (chart.from_zero) y_.low = std::min(0.0, y_.low);
    if (x_.high <= x_.low) x_.high = x_.low + 1;
    if (y_.high - y_.low < 1e-12 * std::max(1.0, std::abs(y_.high))) {
      const double pad = std::max(std::abs(y_.high) * 0.1, 1e-3);
      y_ = {y_.low - (chart.from_zero ? 0 : pad), y_.high + pad};
      if (y_.low == -pad) y_ = {0, 1};  // nothing but zeros
    }
    step_ = TickStep(y_.high - y_.low, 4);
    y_.low = std::floor(y_.low / step_) * step_;
    y_.high = std::ceil(y_.high / step_) * step_;
  }
  double X(double value) const {
    return kLeft + (value - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
  }
  double Y(double value) const {
    return kHeight - kBottom - (value - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
  }
  bool Shows(double value) const { return value >= y_.low && value <= y_.high; }

  std::string Axes() const {
    std::string svg;
    const int ticks = static_cast<int>(std::lround((y_.high - y_.low) / step_));
    for (int i = 0; i <= ticks; ++i) {
      const double value = y_.low + i * step_;
      absl::StrAppendFormat(
          &svg,
          "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
          "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
          kLeft, kWidth - kRight, Y(value), Y(value), kLeft - 6, Y(value) + 4,
          HumanNumber(std::abs(value) < step_ * 1e-9 ? 0 : value));
    }
    const double step = std::max(1.0, TickStep(x_.high - x_.low, 5));
    for (double value = std::ceil(x_.low / step) * step; value <= x_.high; value += step) {
      absl::StrAppendFormat(
          &svg, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>",
          X(value), kHeight - 8, HumanNumber(value));
    }
    return svg;
  }

  std::string Line(const MetricPoints& points, const std::string& css) const {
    std::string path;
    for (const auto& [x, y] : Thinned(points, kPointsMax)) {
      absl::StrAppendFormat(&path, "%s%.1f %.1f", path.empty() ? "M" : "L", X(x), Y(y));
    }
    return absl::StrCat("<path class=\"", css, "\" d=\"", path, "\"/>");
  }

 private:
  AxisRange x_, y_;
  double step_ = 1;
};

std::string DrawSeries(const Frame& frame, const ChartSeries& series) {
  const std::string colour = absl::StrCat("c", series.colour);
  std::string svg;
  if (series.smooth && series.points.size() > 20) {
    svg = frame.Line(series.points, "faint " + colour);
    const double span = std::max(5.0, static_cast<double>(series.points.size()) / 25);
    svg += frame.Line(Smoothed(series.points, span), "line " + colour);
  } else {
    svg = frame.Line(series.points, "line " + colour);
  }
  if (series.marks || series.points.size() == 1) {
    for (const auto& [x, y] : Thinned(series.points, 60)) {
      absl::StrAppendFormat(&svg,
                            "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>step "
                            "%g: %.6g</title></circle>",
                            colour, frame.X(x), frame.Y(y), x, y);
    }
  }
  return svg;
}

std::string Legend(const Chart& chart) {
  std::string html = "<div class=\"legend\">";
  for (const ChartSeries& series : chart.series) {
    if (series.points.empty()) continue;
    absl::StrAppend(&html, "<span><i class=\"c", series.colour, "\"></i>", EscapeHtml(series.label),
                    " <b>", HumanNumber(series.points.back().second), "</b></span>");
  }
  return html + "</div>";
}

}  // namespace

std::string EscapeHtml(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::string HumanNumber(double value) {
  const double size = std::abs(value);
  if (size >= 1e12) return absl::StrFormat("%.3gT", value / 1e12);
  if (size >= 1e9) return absl::StrFormat("%.3gG", value / 1e9);
  if (size >= 1e6) return absl::StrFormat("%.3gM", value / 1e6);
  if (size >= 1e4) return absl::StrFormat("%.3gk", value / 1e3);
  return absl::StrFormat("%.4g", value);
}

std::string RenderChart(const Chart& chart) {
  AxisRange x, y;
  for (const ChartSeries& series : chart.series) {
    for (const auto& [step, value] : series.points) {
      x.Add(step);
      y.Add(value);
    }
  }
  if (x.low > x.high) return "";
  const Frame frame(chart, x, y);
  std::string svg =
      absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s over steps\">",
                      kWidth, kHeight, EscapeHtml(chart.title));
  svg += frame.Axes();
  if (frame.Shows(chart.reference)) {
    absl::StrAppendFormat(
        &svg, "<line class=\"reference\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", kLeft,
        kWidth - kRight, frame.Y(chart.reference), frame.Y(chart.reference));
  }
  for (const ChartSeries& series : chart.series) {
    if (!series.points.empty()) svg += DrawSeries(frame, series);
  }
  return absl::StrCat("<figure><figcaption>", EscapeHtml(chart.title),
                      chart.note.empty() ? "" : "<small>", EscapeHtml(chart.note),
                      chart.note.empty() ? "" : "</small>", "</figcaption>", svg, "</svg>",
                      Legend(chart), "</figure>");
}

std::string RenderTimeBar(const std::vector<std::pair<std::string, double>>& parts) {
  double total = 0;
  for (const auto& [label, seconds] : parts) total += std::max(seconds, 0.0);
  if (total <= 0) return "";
  std::string bar = "<div class=\"timebar\">", legend = "<div class=\"legend\">";
  int colour = 0;
  for (const auto& [label, seconds] : parts) {
    if (seconds <= 0) continue;
    absl::StrAppendFormat(&bar, "<div class=\"c%d\" style=\"flex-grow:%.4f\" title=\"%s\"></div>",
                          colour, seconds / total, EscapeHtml(label));
    absl::StrAppendFormat(&legend, "<span><i class=\"c%d\"></i>%s <b>%.1f s</b> %.0f%%</span>",
                          colour, EscapeHtml(label), seconds, 100 * seconds / total);
    colour = (colour + 1) % 7;
  }
  return bar + "</div>" + legend + "</div>";
}

}  // namespace fpo::train
