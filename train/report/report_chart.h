#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "train/report/report_metrics.h"

namespace fpo::train {

// Text made safe for HTML content and attribute values.
std::string EscapeHtml(absl::string_view text);

// A number for people: 4 significant digits, SI-like suffixes from 10,000 on ("12.5k", "3.20M").
std::string HumanNumber(double value);

struct ChartSeries {
  std::string label;
  MetricPoints points;
  int colour = 0;       // 0 to 3, a CSS class of the page
  bool marks = false;   // few points: draw dots too (evaluations)
  bool smooth = false;  // draw the raw line faint and its moving average on top
};

struct Chart {
  std::string title = {};
  std::string note = {};  // one line below the title
  std::vector<ChartSeries> series = {};
  bool from_zero = false;     // the value axis begins at 0
  double reference = -1e300;  // a dashed horizontal line, e.g. ln 2; not drawn when outside
};

// One <figure> with an inline SVG. Empty string when no series has a point.
std::string RenderChart(const Chart& chart);

// A horizontal bar of parts with a legend: where the time went. Parts in seconds.
std::string RenderTimeBar(const std::vector<std::pair<std::string, double>>& parts);

}  // namespace fpo::train
