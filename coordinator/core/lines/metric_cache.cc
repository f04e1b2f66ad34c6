#include "coordinator/core/lines/metric_cache.h"

#include <utility>

#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kKeptMax = 32;  // each some hundred kilobytes at most
constexpr int kAgePerCost = 10;
constexpr int32_t kEventsPage = 1000;

}  // namespace

// Entries that are being made stay where they are, also beyond the limit.
MetricCache::Made* MetricCache::Find(const Wanted& wanted) {
  for (auto it = kept_.begin(); it != kept_.end(); ++it) {
    if (it->first != wanted) continue;
    kept_.splice(kept_.begin(), kept_, it);
    return &kept_.front().second;
  }
  kept_.emplace_front(wanted, Made{});
  for (auto it = std::prev(kept_.end()); kept_.size() > kKeptMax && it != kept_.begin();) {
    const auto before = std::prev(it);
    if (!it->second.being_made) kept_.erase(it);
    it = before;
  }
  return &kept_.front().second;
}

absl::StatusOr<std::shared_ptr<const MetricCache::Curves>> MetricCache::Get(const Wanted& wanted) {
  FPO_ASSIGN_OR_RETURN(const uint64_t cursor, store_.LastEventCursor(wanted.job_id));
  const absl::Time begin = steady_.Now();
  {
    absl::MutexLock lock(&mutex_);
    Made* const made = Find(wanted);
    const bool is_young = begin - made->when < made->took * kAgePerCost;
    if (made->curves && (made->cursor == cursor || is_young || made->being_made)) {
      return made->curves;
    }
    made->being_made = true;
  }
  absl::StatusOr<Curves> curves = Make(wanted);
  absl::MutexLock lock(&mutex_);
  Made* const made = Find(wanted);
  made->being_made = false;
  FPO_RETURN_IF_ERROR(curves.status());
  made->curves = std::make_shared<const Curves>(*std::move(curves));
  made->cursor = cursor;
  made->when = steady_.Now();
  made->took = made->when - begin;
  return made->curves;
}

absl::StatusOr<MetricCache::Curves> MetricCache::Make(const Wanted& wanted) {
  MetricSeries series(wanted.names);
  for (uint64_t after = 0;;) {
    FPO_ASSIGN_OR_RETURN(const std::vector<EventLine> lines,
                         store_.ReadEvents(wanted.job_id, after, kEventsPage));
    for (const EventLine& line : lines) series.Add(line);
    if (lines.size() < kEventsPage) return series.Take(wanted.points_max);
    after = lines.back().cursor;
  }
}

}  // namespace fpo::coordinator
