#pragma once

#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cache/core/collection/live_keys.h"
#include "cache/core/records/cache_types.h"
#include "cache/core/records/reference_cache.h"

namespace fpo::cache {

// Removes unneeded data: first manifests, as PlanGc decides, then records of no manifest. Jobs
// continue meanwhile: each step excludes puts for milliseconds, and what a job touches between the
// plan and the step is kept. Thread-safe; one collection at a time.
class GarbageCollector {
 public:
  explicit GarbageCollector(ReferenceCache* cache) : cache_(*cache) {}

  // A dry run changes nothing and reports what would be removed. Runs for seconds to minutes.
  absl::StatusOr<GcReport> Collect(bool dry_run);
  // Whether more is stored than --evict-mib allows.
  bool OverLimit() const;

 private:
  absl::StatusOr<std::vector<GcCandidate>> Candidates();
  absl::Status RemoveManifests(GcReport* report);
  // False: a job used it meanwhile, as `decision` says.
  absl::StatusOr<bool> RemoveOne(GcDecision* decision);
  // Keys of every manifest that stays; with `report`, without those that a dry run would remove.
  absl::StatusOr<LiveKeys> CollectLiveKeys(const GcReport& report);
  absl::Status AddManifest(const Digest& id, LiveKeys* live);
  absl::Status Sweep(LiveKeys live, GcReport* report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(run_mutex_);
  absl::StatusOr<std::optional<RecordPosition>> SweepPage(const RecordPosition& from,
                                                          LiveKeys* live, GcReport* report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(run_mutex_);
  void StartSweep(bool running);
  void CountRemoved(const GcReport& report);

  ReferenceCache& cache_;
  absl::Mutex run_mutex_;
  bool over_limit_ ABSL_GUARDED_BY(run_mutex_) = false;
};

}  // namespace fpo::cache
