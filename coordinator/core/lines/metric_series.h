#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// Numbers of a job over its steps, by their names in metrics.jsonl.
class MetricSeries {
 public:
  using Points = std::vector<std::pair<int64_t, double>>;  // step, value; steps ascend

  // `names`: the wanted ones; empty: all.
  explicit MetricSeries(std::vector<std::string> names) : names_(std::move(names)) {}

  // Takes the numbers of a step or evaluation event; when a step occurs twice, after a restart, the
  // later one counts.
  void Add(const EventLine& line);
  // At most `points_max` of each series, evenly thinned; the last point is always included.
  std::map<std::string, Points> Take(size_t points_max) const;

 private:
  const std::vector<std::string> names_;
  std::map<std::string, std::map<int64_t, double>> series_;
};

}  // namespace fpo::coordinator
