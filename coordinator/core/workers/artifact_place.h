#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/values/worker_command.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// A download request. The job is named as in JobTable::Find.
struct ArtifactRequest {
  std::string job = {};
  int64_t step = 0;       // of a checkpoint; 0: the job's result
  std::string file = {};  // empty: the list of files
  int64_t offset = 0;
  bool exported = false;  // as a model folder
};

// Where its files are.
struct ArtifactPlace {
  std::string worker;
  std::string folder;
  bool checkpoint = false;
};

// Connected workers of the job's last attempt, that of rank 0 first: one of them has its files.
std::vector<std::string> ConnectedHolders(const Job& job, const WorkerRegistry& workers);
// FailedPrecondition (NO_HOLDER): none of them is connected. `what` they hold: "the checkpoints".
absl::Status NoHolder(const Job& job, absl::string_view what);

// FailedPrecondition: no result yet (NO_RESULT), or NO_HOLDER. NotFound: no such checkpoint.
absl::StatusOr<ArtifactPlace> PlaceOf(const Job& job, int64_t step, const WorkerRegistry& workers);

// What the worker of the place is told.
ServeArtifactCommand OrderFor(const Job& job, const ArtifactPlace& place,
                              const ArtifactRequest& request, const std::string& transfer_id);

}  // namespace fpo::coordinator
