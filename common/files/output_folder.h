#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/job/job_config.h"

namespace fpo {

// The run in an output folder, the one whose job.yaml is there. fpo-train writes it; agent and
// fpoctl check it before anything is computed in vain.
struct FolderRun {
  std::string folder;
  JobConfig job;
  std::string job_id;          // of the service that ran it; empty: none or unknown
  bool finished = false;       // its result exists
  int64_t steps = 0;           // of a finished run
  bool stopped_early = false;  // which evaluate.patience ended
  absl::Time finished_at = absl::InfinitePast();

  // "the run of job "long" (j-4f2a1c), finished 2026-05-03 10:20:31 UTC"
  std::string Describe() const;
};

// nullopt when there is no run. InvalidArgument when job.yaml exists and cannot be read.
absl::StatusOr<std::optional<FolderRun>> ReadFolderRun(const std::string& folder);

// OK when `job` may continue in the folder, as far as the job file tells: paths may differ in a run
// that has steps left, and fpo-train compares what is there. AlreadyExists says whose run it is,
// which keys differ and how, and ends with `advice`.
absl::Status CheckSameRun(const FolderRun& run, const JobConfig& job, const std::string& advice);

// Whether the finished run has all the steps that `job` asks for.
bool HasAllSteps(const FolderRun& run, const JobConfig& job);

// Turns it into a job of `fpoctl submit --smoke`. The next one may overwrite its folder.
void MakeSmokeNames(JobConfig* job);  // name, output and label
bool IsSmoke(const JobConfig& job);

// Removes a run's files (nothing else) from its folder, job.yaml last, so that an interrupted
// removal can be repeated.
absl::Status RemoveRun(const std::string& folder);

}  // namespace fpo
