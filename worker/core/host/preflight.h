#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/job/job_config.h"

namespace fpo::worker {

// Checks that the file system of `path`, or of its nearest existing parent, has at least this much
// free space. Unavailable names both numbers: another host may have it.
absl::Status CheckFreeBytes(const std::string& path, int64_t bytes);

// Ranks of one host communicate through shared memory, 16 MiB each. Unavailable names the numbers
// and the remedy; OK on a machine without such a folder.
absl::Status CheckSharedMemory(const std::string& path, int32_t ranks);

// What a job of kind train finds in its output folder before anything is computed.
struct OutputUse {
  std::string finished;  // the run there has all its steps: whose, and when; empty: train
  std::string replaced;  // the smoke run removed for this one; empty: none
};
// InvalidArgument says whose run is there and which settings differ. A run left by another smoke is
// removed when the job is a smoke too and `may_replace`; a run of `job_id` itself never is.
absl::StatusOr<OutputUse> LookAtOutput(const JobConfig& config, const std::string& job_id,
                                       bool may_replace);

// Checks that `path` can be created and written. InvalidArgument names the folder that prevents it;
// Unavailable: its file system is read-only here.
absl::Status CheckCanWrite(const std::string& path);

// Removes job folders below WORK/jobs, and copies of outputs below WORK/outputs, that were not
// written to for a week.
void RemoveOldWork(const std::string& work_dir);

}  // namespace fpo::worker
