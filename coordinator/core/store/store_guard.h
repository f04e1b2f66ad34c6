#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/values/worker_hello.h"
#include "coordinator/core/coordinator_stats.h"
#include "coordinator/core/jobs/job_table.h"

namespace fpo::coordinator {

// Keeps a coordinator on the wrong data folder from speaking for jobs that it does not know: an
// empty or older store would call every running attempt void. Not thread-safe.
class StoreGuard {
 public:
  // Not owned. `jobs` is loaded.
  StoreGuard(JobTable* jobs, CoordinatorCounts* counts) : jobs_(jobs), counts_(counts) {}

  // FailedPrecondition (WRONG_STORE): the agent runs attempts of another store, or has seen a newer
  // state of this one; its attempts are to continue without us. The first agent that is accepted
  // confirms a new store, durably; an error of that is returned.
  absl::Status Check(const WorkerHello& hello);
  // WRONG_STORE: this store is new, and an agent knows another one. Jobs that were submitted here
  // would be missed where they belong.
  const absl::Status& TakesJobs() const { return jobs_->refuses_new(); }
  // After a restore: whether agents may still run attempts that the store does not know. Once
  // `reattached`, what can be reached is stopped, and the restore is over, durably.
  bool AwaitsAgents(bool reattached);

 private:
  absl::Status Refuse(const WorkerHello& hello, const std::string& why);

  JobTable* const jobs_;
  CoordinatorCounts* const counts_;
};

}  // namespace fpo::coordinator
