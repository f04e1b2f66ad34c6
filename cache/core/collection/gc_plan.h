#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cache/core/store/stored_values.h"

namespace fpo::cache {

// When data may be removed.
struct KeepRules {
  absl::Duration unused = absl::Hours(24 * 30);  // a manifest unused for this long is removed
  absl::Duration retain = absl::Minutes(10);     // protection by a job, until renewed
  // a record of no manifest is kept at least this long
  absl::Duration record_age_min = absl::Hours(24);
  int64_t evict_bytes = 0;   // above it the longest unused manifests are evicted early; 0: no limit
  int64_t reject_bytes = 0;  // above it new records are rejected; 0: no limit
};

struct GcCandidate {
  ManifestHeader header;
  int64_t bytes = 0;                           // of its present records
  int64_t claimed_records = 0;                 // held by live claims
  absl::Time accessed = absl::InfinitePast();  // by any call of a job, since the cache started
};

struct GcDecision {
  ManifestHeader header;
  int64_t bytes = 0;
  bool remove = false;
  bool evicted = false;  // removed before its time, to make room
  std::string reason;    // for people: "pinned", "unused for 45 days"
};

// Why this manifest must be kept whatever its age; empty: it is not protected.
std::string ProtectionOf(const GcCandidate& candidate, const KeepRules& rules, absl::Time now);

// Which manifests to remove: unprotected ones that were unused for long, and beyond `evict_bytes`
// of `stored_bytes` the longest unused ones. One decision per candidate, in their order.
std::vector<GcDecision> PlanGc(absl::Span<const GcCandidate> candidates, const KeepRules& rules,
                               int64_t stored_bytes, absl::Time now);

}  // namespace fpo::cache
