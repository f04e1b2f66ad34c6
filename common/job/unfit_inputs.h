#pragma once

#include <vector>

#include "common/job/job_config.h"
#include "common/job/job_file.h"

namespace fpo {

// Inputs of the job that are on this machine and that a run would refuse, as far as names and small
// JSON files tell, in the run's words: models of another kind, SAEs that do not say their place or
// are of another model, data files of another form. `config` has absolute paths. What the job does
// not read, and what is not here, is not looked at.
std::vector<JobProblem> UnfitInputs(const JobConfig& config);

}  // namespace fpo
