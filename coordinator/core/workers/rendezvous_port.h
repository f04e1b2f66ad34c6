#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// A TCP port at which the ranks of the job's next attempt meet. No two of the live attempts (jobs
// `with_attempt`) share one, on any host, because several names may mean one host. The search
// starts at a place that depends on job and epoch, so that a late rank of an ended attempt meets
// no rank of the next. RESOURCE_EXHAUSTED when all ports are taken.
absl::StatusOr<int32_t> FreeRendezvousPort(const Job& job, const std::vector<JobPtr>& with_attempt);

}  // namespace fpo::coordinator
