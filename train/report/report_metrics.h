#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace fpo::train {

using MetricPoints = std::vector<std::pair<double, double>>;  // (step, value), steps not falling

// metrics.jsonl by name. Evaluations keep their "eval_" names, so that a training series and its
// evaluation can be shown together.
struct RunMetrics {
  std::map<std::string, MetricPoints> series;
  int64_t skipped_lines = 0;  // not JSON objects with a step: a torn last line
  double last_step = 0;

  const MetricPoints* Find(const std::string& name) const;  // null when absent or empty
};

RunMetrics ParseMetrics(absl::string_view jsonl);

// Exponential moving average over the points (weight of a new point 2 / (span + 1), started without
// bias).
MetricPoints Smoothed(const MetricPoints& points, double span);

// At most `count` points, keeping each stretch's lowest and highest so that spikes stay visible.
MetricPoints Thinned(const MetricPoints& points, size_t count);

}  // namespace fpo::train
