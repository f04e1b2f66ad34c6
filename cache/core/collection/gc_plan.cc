#include "cache/core/collection/gc_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fpo::cache {
namespace {

std::string Age(absl::Duration age) {
  if (age < absl::Hours(1)) return absl::StrCat(absl::ToInt64Minutes(age), " minutes");
  if (age < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(age), " hours");
  return absl::StrCat(absl::ToInt64Hours(age) / 24, " days");
}

std::string Moment(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace

std::string ProtectionOf(const GcCandidate& candidate, const KeepRules& rules, absl::Time now) {
  const ManifestHeader& header = candidate.header;
  if (header.pinned_until == absl::InfiniteFuture()) return "pinned";
  if (header.pinned_until > now) return absl::StrCat("kept until ", Moment(header.pinned_until));
  if (candidate.claimed_records > 0) {
    return absl::StrCat("a builder computes ", candidate.claimed_records, " of its records");
  }
  if (header.retained_until > now) {
    return absl::StrCat("retained by a job until ", Moment(header.retained_until));
  }
  if (candidate.accessed + rules.retain > now) return "in use by a job";
  return "";
}

std::vector<GcDecision> PlanGc(absl::Span<const GcCandidate> candidates, const KeepRules& rules,
                               int64_t stored_bytes, absl::Time now) {
  std::vector<GcDecision> plan;
  std::vector<size_t> evictable;  // positions
  int64_t left = stored_bytes;
  for (const GcCandidate& candidate : candidates) {
    GcDecision& decision = plan.emplace_back();
    decision.header = candidate.header;
    decision.bytes = candidate.bytes;
    decision.reason = ProtectionOf(candidate, rules, now);
    if (!decision.reason.empty()) continue;
    const absl::Duration idle = now - candidate.header.used;
    decision.remove = idle >= rules.unused;
    decision.reason = absl::StrCat(decision.remove ? "unused for " : "used ", Age(idle),
                                   decision.remove ? "" : " ago");
    if (decision.remove) {
      left -= candidate.bytes;
    } else {
      evictable.push_back(plan.size() - 1);
    }
  }
  if (rules.evict_bytes <= 0) return plan;
  std::stable_sort(evictable.begin(), evictable.end(), [&plan](size_t a, size_t b) {
    return plan[a].header.used < plan[b].header.used;
  });
  for (const size_t i : evictable) {
    if (left <= rules.evict_bytes) break;
    left -= plan[i].bytes;
    plan[i].remove = plan[i].evicted = true;
    plan[i].reason = absl::StrCat("evicted: ", stored_bytes, " bytes are stored, the limit is ",
                                  rules.evict_bytes, ", and it was ", plan[i].reason);
  }
  return plan;
}

}  // namespace fpo::cache
