#pragma once

#include <string>
#include <vector>

#include "common/job/job_config.h"
#include "common/job/job_node.h"

namespace fpo {

// Keys that the file sets and this job never reads, one sentence each: "method.top_k is set, and
// method simpo does not use it". None for a file that sets every key of its method, such as a run's
// own job.yaml: its keys were not chosen one by one.
std::vector<std::string> UnusedKeys(const JobNode& root, const JobConfig& config);

}  // namespace fpo
