#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/jobs/job_table.h"

namespace fpo::coordinator {

using FindJob = std::function<JobPtr(const std::string& job_id)>;  // null: unknown
FindJob FindIn(const JobTable& jobs);                              // valid as long as the table

// What the jobs named by --after-ok and --after mean for a waiting job.
struct DependencyState {
  enum class Kind { kMet, kWaiting, kImpossible };
  Kind kind = Kind::kMet;
  std::string why;  // names the first job that it waits for; empty: none
};

// Impossible when one of after_ok ended without success: that job can never succeed, since its
// retry is another job. One that is no longer known counts as met.
DependencyState DependenciesOf(const Job& job, const FindJob& find);
// The queued jobs before this one whose dependencies are met.
std::vector<JobPtr> ReadyBefore(const Job& job, const JobTable& jobs);

// The queued jobs whose dependencies are met. Of the others, those that may still run get the
// reason why they wait; those that never can fail.
std::vector<const Job*> WithDependenciesMet(const std::vector<JobPtr>& queued, absl::Time now,
                                            JobTable* jobs);
// Fails held jobs that can never run, without waiting for their release.
void FailHopelessHeldJobs(absl::Time now, JobTable* jobs);

}  // namespace fpo::coordinator
