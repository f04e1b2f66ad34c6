#include "coordinator/core/scheduling/elastic_slots.h"

#include <algorithm>

namespace fpo::coordinator {
namespace {

// Once is enough: the job may have been stopped since, to get all of its slots.
bool HasLostWorker(const Job& job) {
  return std::any_of(job.attempts.begin(), job.attempts.end(),
                     [](const Attempt& attempt) { return attempt.lost_worker; });
}

}  // namespace

int32_t HeldSlots(const Job& job) {
  if (!HasAttempt(job.state) || job.attempts.empty()) return 0;
  int32_t held = 0;
  for (const Member& member : job.attempts.back().members) held += member.slots;
  return held;
}

std::optional<absl::Time> NarrowFrom(const Job& job, const ElasticOptions& options) {
  const JobDemand& demand = job.demand;
  if (demand.min_slots <= 0 || demand.min_slots >= demand.slots || !HasLostWorker(job)) {
    return std::nullopt;
  }
  return std::max(job.state_since, job.not_before) + options.narrow_after;
}

int32_t LeastSlots(const Job& job, const ElasticOptions& options, absl::Time now) {
  const std::optional<absl::Time> from = NarrowFrom(job, options);
  return from.has_value() && now >= *from ? job.demand.min_slots : job.demand.slots;
}

std::optional<absl::Time> GrowFrom(const Job& job, const ElasticOptions& options) {
  if (job.state != JobState::kRunning || HeldSlots(job) >= job.demand.slots) return std::nullopt;
  return job.attempts.back().started + options.grow_after;
}

}  // namespace fpo::coordinator
