#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fpo::coordinator {

// The outcome of a repair.
struct RepairReport {
  std::vector<std::string> files;         // moved into the folder's lost/
  std::vector<std::string> damaged_jobs;  // ids of jobs that cannot be read any more
  std::vector<std::string> held_jobs;     // ids of jobs that had not ended
  std::vector<std::string> other_jobs;    // ids of jobs that had, or were held or paused already
};

// Saves what can be read of the jobs' store in `path`, which no program has open. A repair can
// bring back an older state of a job, so nothing continues by itself afterwards: jobs that had not
// ended are HELD, and the epochs and revisions of all jobs grow by 2^20, beyond what any worker or
// reader has seen. NotFound: there is no store.
absl::StatusOr<RepairReport> RepairJobStore(const std::string& path, absl::Time now);

}  // namespace fpo::coordinator
