#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/invocation.h"
#include "common/job_config.h"

namespace fpo::client {

// Reads the job file an invocation names, with its --set changes. Relative paths (model, reference,
// SAE, data, output) become absolute, relative to the folder of the job file, wherever fpoctl was
// started. Errors: NotFound for the file; InvalidArgument with reason INVALID_JOB and one problem a
// line for its content.
absl::StatusOr<JobConfig> LoadJob(const std::string& path, const std::vector<std::string>& set);

// Gives the job this label, in place of one of the same name.
void SetLabel(const std::string& name, const std::string& value, JobConfig* config);

// Makes the paths of a job absolute, relative to `folder`, which is absolute.
void MakePathsAbsolute(const std::string& folder, JobConfig* config);

}  // namespace fpo::client
