#include "coordinator/core/jobs/job.h"

#include <algorithm>
#include <utility>

namespace fpo::coordinator {
bool IsActive(JobState state) {
  return state == JobState::kReserved || state == JobState::kStarting ||
         state == JobState::kRunning;
}

bool IsStopping(JobState state) {
  return state == JobState::kCancelling || state == JobState::kPausing ||
         state == JobState::kPreempting;
}

bool HasAttempt(JobState state) {
  return IsActive(state) || IsStopping(state) || state == JobState::kRecovering;
}

bool Attempt::AllEnded() const {
  return std::all_of(members.begin(), members.end(), [](const Member& m) { return m.ended(); });
}

const Member* Attempt::Find(absl::string_view worker) const {
  for (const Member& member : members) {
    if (member.worker == worker) return &member;
  }
  return nullptr;
}

Member* Attempt::Find(absl::string_view worker) {
  return const_cast<Member*>(static_cast<const Attempt*>(this)->Find(worker));
}

AttemptRef LastAttemptRef(const Job& job) {
  if (job.attempts.empty()) return {job.job_id, 0, job.epoch};
  return {job.job_id, job.attempts.back().number, job.attempts.back().epoch};
}

bool IsCurrent(const Job& job, const AttemptRef& ref) {
  return !job.attempts.empty() && ref == LastAttemptRef(job) && ref.epoch == job.epoch;
}

absl::Duration StopGraceOf(const Job& job) {
  return std::max(job.stop_by - job.state_since, absl::ZeroDuration());
}

bool WasMember(const Job& job, const AttemptRef& ref, absl::string_view worker) {
  return std::any_of(job.attempts.begin(), job.attempts.end(), [&](const Attempt& attempt) {
    return attempt.number == ref.attempt && attempt.epoch == ref.epoch &&
           attempt.Find(worker) != nullptr;
  });
}

CacheUse CacheUseOf(const std::vector<Member>& members) {
  CacheUse use;
  for (const Member& member : members) {
    const CacheUse& one = member.cache;
    if (one.records_total == 0) continue;
    const int64_t computed = use.records_computed + one.records_computed;
    const double seconds = std::max(use.reference_seconds, one.reference_seconds);
    if (use.records_total == 0 || one.records_hit < use.records_hit) use = one;
    use.records_computed = computed;
    use.reference_seconds = seconds;
  }
  return use;
}

CacheUse CacheUseOf(const std::vector<Attempt>& attempts) {
  CacheUse use;
  for (const Attempt& attempt : attempts) {
    if (attempt.cache.records_total == 0) continue;
    CacheUse sum = attempt.cache;
    sum.reference_seconds += use.reference_seconds;
    const bool again = use.records_total != 0 && sum.manifest_id == use.manifest_id;
    // A later attempt finds what an earlier one of the same job computed, which saved nothing.
    if (again) {
      sum.records_hit = use.records_hit;
      sum.saved_seconds = use.saved_seconds;
      sum.saved_flops = use.saved_flops;
      sum.records_computed += use.records_computed;
    }
    use = std::move(sum);
  }
  return use;
}

}  // namespace fpo::coordinator
