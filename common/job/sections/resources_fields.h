#pragma once

#include <vector>

#include "common/job/job_fields.h"
#include "common/job/job_file.h"

namespace fpo {

// The part of the field table for "resources". The slots point into the argument.
JobEntry ResourcesEntry(ResourcesSection* section);

// What is wrong with them.
std::vector<JobProblem> ResourcesProblems(const JobConfig& config);

}  // namespace fpo
