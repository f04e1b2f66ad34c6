#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/job/job_file.h"

namespace fpo::ctl {

// Reads a file of runs: a mapping from a run's name to the keys of the job file that it changes.
//   dpo: {method.name: dpo, method.beta: 0.1}
//   as-it-is: {}
// Names are words of a-z, 0-9 and -, each once; `name` and `output` follow from them and cannot be
// changed. Errors: NotFound for the file; InvalidArgument with reason INVALID_JOB and one problem
// per line, "runs.yaml:3: ...". Whether the keys exist is checked with the job file.
absl::StatusOr<std::vector<JobRun>> ReadSweepRuns(const std::string& path);
absl::StatusOr<std::vector<JobRun>> ParseSweepRuns(absl::string_view text, const std::string& file);

// InvalidArgument (usage) when a run changes a key that one of `others` ("key=value") sets, or a
// part of it: which of the two counts would be a guess.
absl::Status CheckRunsAreAlone(const std::vector<JobRun>& runs,
                               const std::vector<std::string>& others);

}  // namespace fpo::ctl
