#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/provision/provision_pool.h"
#include "coordinator/core/provision/provision_request.h"

// What was asked for a job and why nothing was, for people. Notes name points in time, as the
// texts of scheduling/explain.h; lines name ages.
namespace fpo::coordinator {

// "asked Slurm for 2 workers at 2026-11-30T12:00:00Z (pool gpu, request 1234, attempt 2)".
std::string RequestNote(const ProvisionRequest& request, const ProvisionPool& pool);
// "asked Slurm for 2 workers of 4 slots 40s ago: request 1234 of pool gpu, attempt 2; 1 of 2 came".
std::string RequestLine(const ProvisionRequest& request, const ProvisionPool& pool,
                        absl::Time wall);
std::string WaitNote(const ProvisionPool& pool, const Job& job, absl::Time until);
std::string BackoffNote(const ProvisionPool& pool, const std::string& why, absl::Time until);
struct WorkerQuota {
  int32_t used = 0;
  int32_t most = 0;
  int32_t asked = 0;
};
// `owner`: whose quota it is; empty: the pool's.
std::string QuotaNote(const ProvisionPool& pool, const WorkerQuota& quota,
                      const std::string& owner);
std::string NoPoolNote(const std::vector<ProvisionPool>& pools, const Job& job);

}  // namespace fpo::coordinator
