#pragma once

#include <string>
#include <vector>

#include "common/job/job_config.h"
#include "common/job/job_node.h"

namespace fpo {

// Keys that the file sets and this job never reads, a sentence each: "method.top_k is set, and
// method simpo does not use it". Of a file that gives every key of its method, as a run's own
// job.yaml does, nothing is said: its keys were not chosen one by one.
std::vector<std::string> UnusedKeys(const JobNode& root, const JobConfig& config);

}  // namespace fpo
