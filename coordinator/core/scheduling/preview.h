#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/scheduling/queue_forecast.h"
#include "coordinator/core/scheduling/slot_offer.h"
#include "coordinator/core/scheduling/slot_quota.h"

namespace fpo::coordinator {

// How a job would fare if it were submitted now.
struct Preview {
  std::vector<std::string> warnings;
  std::string fit;    // "would start at once on w1", or why it would wait
  std::string quota;  // why its quota would make it wait; empty: it would not
  int64_t jobs_ahead = 0;
  std::optional<absl::Time> start;
  std::optional<absl::Duration> takes;  // as long as similar jobs took
  std::string records;  // what an earlier job on the same data found; empty: none did
  std::string files;    // which workers hold its token and record files; empty: none
};

struct PreviewSnapshot {
  std::vector<JobPtr> with_attempt;
  std::vector<JobPtr> queued;
  std::vector<SlotOffer> offers;
  const std::vector<QuotaRule>* quotas;
  const RunTimes* times;
  const std::set<std::string>* near;  // workers that hold its files; null: none
  JobPtr earlier;  // the newest job on the same data that used the cache; or null
  FindJob find;    // those that jobs depend on
  absl::Time now;
};

Preview PreviewJob(const Job& job, const PreviewSnapshot& snapshot);

// What `job` will find in the cache after an earlier one on the same data: "118204 of 122270
// present since job j-1, about 34m of computing saved". Runs of other lengths or orders read other
// pairs of it; then the number is known only after prepare. Empty for null.
std::string RecordsSince(const JobPtr& earlier, const Job& job);

}  // namespace fpo::coordinator
