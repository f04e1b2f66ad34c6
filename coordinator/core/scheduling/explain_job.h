#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// Why a job is not running, or what it is doing, for people.
struct Explanation {
  Standing standing = Standing::kQueued;
  std::string text;                  // the main reason with its numbers
  std::vector<std::string> details;  // one fact each
  std::string next;                  // a command that may help; empty: none
};

// The inputs of an explanation besides the job.
struct ExplainSnapshot {
  std::vector<WorkerView> workers = {};
  std::vector<JobPtr> ahead = {};  // jobs before a waiting one that could start, in queue order
  std::vector<JobPtr> dependencies = {};  // the jobs of after_ok, after_end
  std::vector<std::string> asked = {};    // for workers, Provisioner::Describe
  absl::Time now;
};

Explanation ExplainJob(const Job& job, const ExplainSnapshot& snapshot);

}  // namespace fpo::coordinator
