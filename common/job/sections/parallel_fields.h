#pragma once

#include <vector>

#include "common/job/job_fields.h"
#include "common/job/job_file.h"

namespace fpo {

// The part of the field table for "parallel". The slots point into the argument.
JobEntry ParallelEntry(ParallelSection* section);

// What cannot be, named by key.
std::vector<JobProblem> ParallelProblems(const JobConfig& config);

}  // namespace fpo
