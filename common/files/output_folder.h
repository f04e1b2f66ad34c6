#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/job/job_config.h"

namespace fpo {

// The run that lies in an output folder: whose job.yaml is there. fpo-train writes it, agent and
// fpoctl look before they let anything be computed for nothing.
struct FolderRun {
  std::string folder;
  JobConfig job;
  std::string job_id;     // of the service that ran it; empty: none, or not known
  bool finished = false;  // its result is there
  int64_t steps = 0;      // of a finished run
  absl::Time finished_at = absl::InfinitePast();

  // "the run of job "long" (j-4f2a1c), finished 2026-05-03 10:20:31 UTC"
  std::string Words() const;
};

// Nothing when no run lies there. InvalidArgument when job.yaml is there and cannot be read.
absl::StatusOr<std::optional<FolderRun>> ReadFolderRun(const std::string& folder);

// OK when `job` may go on in the folder. AlreadyExists says whose run it is, which keys differ and
// how, and ends with `advice`.
absl::Status CheckSameRun(const FolderRun& run, const JobConfig& job, const std::string& advice);

// The finished run has all steps that `job` asks for.
bool HasAllSteps(const FolderRun& run, const JobConfig& job);

// A job made by `fpoctl submit --smoke`. Its folder may be written again by the next one.
void MakeSmokeNames(JobConfig* job);  // name, output and label
bool IsSmoke(const JobConfig& job);

// Removes what a run leaves in its folder (nothing else), job.yaml last, so that a removal that was
// cut short can be repeated.
absl::Status RemoveRun(const std::string& folder);

}  // namespace fpo
