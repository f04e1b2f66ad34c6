#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job_table.h"

namespace fpo::coordinator {

// Jobs that ended longer than `keep` ago, oldest first, at most `limit`, except those that an
// unfinished job waits for. Zero keeps all.
std::vector<std::string> JobsToRemove(const JobTable& jobs, absl::Duration keep, absl::Time now,
                                      size_t limit);

}  // namespace fpo::coordinator
