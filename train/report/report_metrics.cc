#include "train/report/report_metrics.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"

namespace fpo::train {

const MetricPoints* RunMetrics::Find(const std::string& name) const {
  const auto it = series.find(name);
  return it == series.end() || it->second.empty() ? nullptr : &it->second;
}

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
      if (std::isfinite(number)) metrics.series[name].emplace_back(step, number);
    }
  }
  for (auto& [name, points] : metrics.series) {
    std::stable_sort(points.begin(), points.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  return metrics;
}

MetricPoints Smoothed(const MetricPoints& points, double span) {
  MetricPoints out;
  const double keep = 1 - 2 / (span + 1);
  double sum = 0, weight = 0;
  for (const auto& [step, value] : points) {
    sum = sum * keep + value * (1 - keep);
    weight = weight * keep + (1 - keep);
    out.emplace_back(step, sum / weight);
  }
  return out;
}

MetricPoints Thinned(const MetricPoints& points, size_t count) {
  if (points.size() <= count || count < 4) return points;
  MetricPoints out;
  const size_t buckets = count / 2;
  for (size_t b = 0; b < buckets; ++b) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(b * points.size() / buckets);
    const auto end =
        points.begin() + static_cast<std::ptrdiff_t>((b + 1) * points.size() / buckets);
    auto [low, high] = std::minmax_element(
        begin, end, [](const auto& a, const auto& c) { return a.second < c.second; });
    if (high < low) std::swap(low, high);
    out.push_back(*low);
    if (high != low) out.push_back(*high);
  }
  return out;
}

}  // namespace fpo::train
