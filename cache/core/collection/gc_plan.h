#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cache/core/store/stored_values.h"

namespace fpo::cache {

// When data may go.
struct KeepRules {
  absl::Duration unused = absl::Hours(24 * 30);     // a manifest nobody used for so long goes
  absl::Duration retain = absl::Minutes(10);        // protection by a job, until renewed
  absl::Duration record_age_min = absl::Hours(24);  // a record of no manifest stays at least so
  int64_t evict_bytes = 0;   // above it the longest unused manifests go early; 0: no limit
  int64_t reject_bytes = 0;  // above it nothing new is taken; 0: no limit
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

// Why this manifest must stay whatever its age; empty: nothing protects it.
std::string ProtectionOf(const GcCandidate& candidate, const KeepRules& rules, absl::Time now);

// Which manifests go: the unprotected ones that nobody used for long, and beyond `evict_bytes` of
// `stored_bytes` the longest unused ones. One decision per candidate, in their order.
std::vector<GcDecision> PlanGc(absl::Span<const GcCandidate> candidates, const KeepRules& rules,
                               int64_t stored_bytes, absl::Time now);

}  // namespace fpo::cache
