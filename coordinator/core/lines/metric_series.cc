#include "coordinator/core/lines/metric_series.h"

#include <algorithm>

#include "common/train_protocol.h"

namespace fpo::coordinator {

void MetricSeries::Add(const EventLine& line) {
  if (line.rank > 0) return;
  const absl::StatusOr<TrainEvent> event = ParseEvent(line.json);
  if (!event.ok() || (event->kind != EventKind::kStep && event->kind != EventKind::kEvaluation))
    return;
  for (const auto& [name, value] : event->metrics) {
    const bool wanted =
        names_.empty() || std::find(names_.begin(), names_.end(), name) != names_.end();
    if (wanted) series_[name][event->step] = value;
  }
}

std::map<std::string, MetricSeries::Points> MetricSeries::Take(size_t points_max) const {
  std::map<std::string, Points> result;
  for (const auto& [name, points] : series_) {
    Points& thinned = result[name];
    const size_t every = (points.size() + points_max - 1) / std::max<size_t>(points_max, 1);
    size_t from_end = points.size();
    for (const auto& point : points) {
      if (--from_end % std::max<size_t>(every, 1) == 0) thinned.push_back(point);
    }
  }
  return result;
}

}  // namespace fpo::coordinator
