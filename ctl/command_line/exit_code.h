#pragma once

#include <optional>

#include "absl/status/status.h"
#include "common/values/job_state.h"

namespace fpo::ctl {

// How fpoctl ends; scripts depend on these numbers (docs/cli.md).
enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,
  kUsage = 2,
  kInvalid = 3,  // the job file or a request is invalid
  kNotFound = 4,
  kUnreachable = 5,  // no connection, or the deadline passed
  kDenied = 6,
  kConflict = 7,  // precondition or conflict
  kQuota = 8,
  kJobFailed = 10,     // submit --wait, watch, wait, logs -f
  kJobCancelled = 11,  // the same
  kTimeout = 12,       // still running at --timeout
  kInterrupted = 130,  // Ctrl-C, as shells count it
};

// An error of the command line: exit 2.
absl::Status UsageError(absl::string_view message, absl::string_view hint);

// The error of a command stopped by Ctrl-C: exit 130.
absl::Status InterruptedError();

ExitCode ExitCodeOf(const absl::Status& status);
// For a job's terminal state; kOk for SUCCEEDED, kInternal for states that are not terminal.
ExitCode ExitCodeOfState(std::optional<JobState> state);

}  // namespace fpo::ctl
