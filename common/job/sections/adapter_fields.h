#pragma once

#include <string>
#include <vector>

#include "common/job/job_fields.h"
#include "common/job/job_file.h"

namespace fpo {

// The part of the field table for "adapter". The slots point into the argument.
JobEntry AdapterEntry(AdapterSection* section);

// What cannot be, named by key.
std::vector<JobProblem> AdapterProblems(const JobConfig& config);

}  // namespace fpo
