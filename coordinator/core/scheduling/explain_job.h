#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// Why a job is not running, or what it does, for people.
struct Explanation {
  Standing standing = Standing::kQueued;
  std::string text;                  // the first reason with its numbers
  std::vector<std::string> details;  // one fact each
  std::string next;                  // a command that may help; empty: none
};

// What else is looked at.
struct ExplainScene {
  std::vector<WorkerView> workers = {};
  std::vector<JobPtr> ahead = {};  // those before a waiting one that could start, in queue order
  std::vector<JobPtr> dependencies = {};  // the jobs of after_ok, after_end
  absl::Time now;
};

Explanation ExplainJob(const Job& job, const ExplainScene& scene);

}  // namespace fpo::coordinator
