#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/job/job_config.h"

namespace fpo::worker {

// The file system that holds `path`, or its nearest existing parent, has at least that much room
// for us. Unavailable names both numbers: another host may have it.
absl::Status CheckFreeBytes(const std::string& path, int64_t bytes);

// Ranks of one host talk through shared memory: 16 MiB of it for each. Unavailable names the
// numbers and the way out; a machine without such a folder does without.
absl::Status CheckSharedMemory(const std::string& path, int32_t ranks);

// What a job of kind train finds in its output folder, before anything is computed.
struct OutputUse {
  std::string finished;  // the run there has all its steps: whose, and when; empty: it trains
  std::string replaced;  // the smoke that was removed to run this one; empty: none
};
// InvalidArgument says whose run is there and which settings differ. A run that another smoke left
// is removed when the job is a smoke too and `may_replace`; one of `job_id` itself never is.
absl::StatusOr<OutputUse> LookAtOutput(const JobConfig& config, const std::string& job_id,
                                       bool may_replace);

// `path` can be made and written. InvalidArgument names the folder that forbids it; Unavailable:
// its file system is read-only here.
absl::Status CheckCanWrite(const std::string& path);

// Removes job folders below WORK/jobs that nothing was written to for a week.
void RemoveOldWork(const std::string& work_dir);

}  // namespace fpo::worker
