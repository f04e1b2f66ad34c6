#include "ctl/show/chart.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

constexpr int kLabelColumns = 10;
constexpr int kWidthMax = 100;

// Mean of the values that fall into each column.
std::vector<std::optional<double>> Columns(const ChartPoints& points, int width) {
  const double first = points.front().first;
  const double span = std::max(points.back().first - first, 1e-9);
  std::vector<double> sums(static_cast<size_t>(width));
  std::vector<int> counts(static_cast<size_t>(width));
  for (const auto& [x, y] : points) {
    const double place = (x - first) / span * (width - 1);
    const auto column = static_cast<size_t>(std::clamp(place + 0.5, 0.0, width - 1.0));
    sums[column] += y;
    ++counts[column];
  }
  std::vector<std::optional<double>> columns(static_cast<size_t>(width));
  for (size_t i = 0; i < columns.size(); ++i) {
    if (counts[i] > 0) columns[i] = sums[i] / counts[i];
  }
  return columns;
}

std::string PadLeft(const std::string& text, int columns) {
  const int missing = columns - DisplayWidth(text);
  return missing > 0 ? std::string(static_cast<size_t>(missing), ' ') + text : text;
}

}  // namespace

std::string RenderChart(const std::string& name, const ChartPoints& points, int rows,
                        const TextStyle& style) {
  ChartPoints finite;
  for (const auto& point : points) {
    if (std::isfinite(point.second)) finite.push_back(point);
  }
  if (finite.empty()) return absl::StrCat(name, "\n  no finite values\n");
  const int screen = style.columns > 0 ? style.columns : 80;
  const int width = std::clamp(screen - kLabelColumns - 2, 10, kWidthMax);
  const std::vector<std::optional<double>> columns = Columns(finite, width);
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const auto& value : columns) {
    if (value) low = std::min(low, *value), high = std::max(high, *value);
  }
  const double span = high > low ? high - low : 1;
  std::vector<std::string> grid(static_cast<size_t>(rows),
                                std::string(static_cast<size_t>(width), ' '));
  for (size_t x = 0; x < columns.size(); ++x) {
    if (!columns[x]) continue;
    const double level = (*columns[x] - low) / span * (rows - 1);
    grid[static_cast<size_t>(rows - 1) - static_cast<size_t>(level + 0.5)][x] = '*';
  }
  std::string text = absl::StrCat(name, "  last ", HumanNumber(finite.back().second), "\n");
  const char* side = style.unicode ? "│" : "|";
  for (int row = 0; row < rows; ++row) {
    std::string label;
    if (row == 0) label = HumanNumber(high);
    if (row == rows - 1 && high > low) label = HumanNumber(low);
    std::string line;
    for (const char c : grid[static_cast<size_t>(row)]) {
      line += c == '*' && style.unicode ? "•" : std::string(1, c);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, PadLeft(label, kLabelColumns), " ", side, line, "\n");
  }
  const std::string begin = absl::StrCat(static_cast<int64_t>(finite.front().first));
  const std::string end = absl::StrCat(static_cast<int64_t>(finite.back().first));
  absl::StrAppend(&text, std::string(kLabelColumns + 2, ' '),
                  PadRight(begin, width - DisplayWidth(end)), end, "\n");
  return text;
}

}  // namespace fpo::ctl
