#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/jobs/job_table.h"

namespace fpo::coordinator {

using FindJob = std::function<JobPtr(const std::string& job_id)>;  // null: not known
FindJob FindIn(const JobTable& jobs);                              // valid as long as the table

// What the jobs named by --after-ok and --after mean for a job that waits.
struct DependencyState {
  enum class Kind { kMet, kWaiting, kImpossible };
  Kind kind = Kind::kMet;
  std::string why;  // names the first that it waits for; empty: none
};

// Impossible when one of after_ok ended without success: that job never succeeds any more, its
// retry is another job. One that is no longer known counts as met.
DependencyState DependenciesOf(const Job& job, const FindJob& find);
// The queued jobs before this one that could start as far as other jobs are concerned.
std::vector<JobPtr> ReadyBefore(const Job& job, const JobTable& jobs);

// The queued jobs that may run as far as other jobs are concerned. Those that cannot yet say what
// they wait for; those that never can fail.
std::vector<const Job*> WithDependenciesMet(const std::vector<JobPtr>& queued, absl::Time now,
                                            JobTable* jobs);
// A held job does not wait for its release to say that it can never run.
void FailHopelessHeldJobs(absl::Time now, JobTable* jobs);

}  // namespace fpo::coordinator
