#include "train/report/report_metrics.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"

namespace fpo::train {

RunMetrics ParseMetrics(absl::string_view jsonl) {
  RunMetrics metrics;
  for (const absl::string_view line : absl::StrSplit(jsonl, '\n', absl::SkipWhitespace())) {
    const auto json =
        nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number()) {
      ++metrics.skipped_lines;
      continue;
    }
    const auto step = json["step"].get<double>();
    metrics.last_step = std::max(metrics.last_step, step);
    for (const auto& [name, value] : json.items()) {
      if (name == "step" || !value.is_number()) continue;
      const auto number = value.get<double>();
      if (std::isfinite(number)) metrics.curves.series[name].emplace_back(step, number);
    }
  }
  for (auto& [name, points] : metrics.curves.series) {
    std::stable_sort(points.begin(), points.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    metrics.longest = std::max(metrics.longest, points.size());
  }
  return metrics;
}

}  // namespace fpo::train
