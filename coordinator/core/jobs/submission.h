#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

inline constexpr size_t kConfigBytesMax = 256 << 10;

// A submitted job, fully checked.
struct Submission {
  Job job;  // name, effective config_json and demand are set; no id yet
  std::vector<std::string> warnings;
};

// InvalidArgument (INVALID_JOB) lists every problem, one per line.
absl::StatusOr<Submission> CheckSubmission(const std::string& config_json);

// Hex digest of everything in a submit, to tell a repetition from another job.
std::string SubmissionDigest(const Job& job);

}  // namespace fpo::coordinator
