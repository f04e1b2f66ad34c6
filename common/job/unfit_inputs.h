#pragma once

#include <vector>

#include "common/job/job_config.h"
#include "common/job/job_file.h"

namespace fpo {

// Inputs that exist on this machine and that a run would reject, as far as names and small JSON
// files tell, with the run's own messages: models of another kind, SAEs without a place or of
// another model, data files of another form. `config` has absolute paths. Inputs that the job does
// not read, or that are missing, are not checked.
std::vector<JobProblem> UnfitInputs(const JobConfig& config);

}  // namespace fpo
