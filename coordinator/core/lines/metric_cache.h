#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "coordinator/core/lines/metric_series.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// The curves of jobs, which are made from up to 100,000 events each and asked for every two seconds
// by every open status page. One is kept until its job has new events, and then still for ten times
// as long as it took to make, so that looking at curves costs a tenth of a thread at most.
// Thread-safe.
class MetricCache {
 public:
  using Curves = std::map<std::string, MetricSeries::Points>;
  struct Wanted {
    std::string job_id;
    std::vector<std::string> names;  // empty: all
    size_t points_max = 0;           // of each
    auto operator<=>(const Wanted&) const = default;
  };

  // Neither is owned.
  MetricCache(JobStore* store, const SteadyClock* steady) : store_(*store), steady_(*steady) {}

  // Errors are those of the store. While another thread makes the same curves anew, those made last
  // are returned at once.
  absl::StatusOr<std::shared_ptr<const Curves>> Get(const Wanted& wanted);

 private:
  struct Made {
    std::shared_ptr<const Curves> curves;  // null: none yet
    uint64_t cursor = 0;                   // of the job's newest event then
    absl::Time when = absl::InfinitePast();
    absl::Duration took = absl::ZeroDuration();
    bool being_made = false;
  };
  using Kept = std::list<std::pair<Wanted, Made>>;  // the one used last is the first

  Made* Find(const Wanted& wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Curves> Make(const Wanted& wanted);

  JobStore& store_;
  const SteadyClock& steady_;
  absl::Mutex mutex_;
  Kept kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::coordinator
