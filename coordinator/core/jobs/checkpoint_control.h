#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/core/jobs/checkpoint_registry.h"
#include "coordinator/core/jobs/job_table.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// What users do with checkpoints: changes the record durably, then tells the worker that holds the
// folders. Jobs are named as in JobTable::Find. Not thread-safe.
class CheckpointControl {
 public:
  CheckpointControl(JobTable* jobs, WorkerRegistry* workers) : jobs_(jobs), workers_(workers) {}

  // NotFound; FailedPrecondition (NO_HOLDER) when no worker of the last attempt is connected.
  absl::StatusOr<Checkpoint> Pin(const std::string& job_ref, int64_t step, bool pinned);
  // Decides about each checkpoint of a job that is not running and, unless dry_run, has those not
  // kept removed. FailedPrecondition while it is running, or as Pin.
  absl::StatusOr<std::vector<RetentionDecision>> Gc(const std::string& job_ref, bool dry_run);

 private:
  JobTable* const jobs_;
  WorkerRegistry* const workers_;
};

}  // namespace fpo::coordinator
