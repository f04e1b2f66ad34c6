#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "coordinator/core/jobs/job.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// Counts since the start, by the label of their metric.
struct CoordinatorCounts {
  std::map<std::string, int64_t> submissions;         // created | repeated | invalid | failed
  std::map<std::string, int64_t> attempts;            // by end class
  std::map<std::string, int64_t> lease_expirations;   // worker
  std::map<std::string, int64_t> fencing_rejections;  // report | hello | checkpoint | store | lines
  std::map<std::string, int64_t> log_removed_bytes;   // age | job_limit | total_limit
  int64_t checkpoint_corruptions = 0;
  std::vector<double> queue_waits_seconds;  // of reservations since the last Collect
};

// A snapshot of everything, for metrics.
struct CoordinatorStats {
  CoordinatorCounts counts;
  std::array<int64_t, kEnumSize<JobState>> jobs = {};
  int64_t log_bytes = 0;  // stored
  std::vector<WorkerView> workers;
  std::vector<JobPtr> with_attempt;
};

}  // namespace fpo::coordinator
