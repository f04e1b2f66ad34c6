#pragma once

#include <vector>

#include "common/job/job_config.h"
#include "common/job/job_file.h"

namespace fpo {

// Paths of a job that are URLs: s3://BUCKET/PATH, and of inputs hf://ORG/NAME. A worker fetches
// such inputs and pushes such an output (docs/storage.md). What is wrong with the form of one, or
// where none may be: a key's file, a judge's store.
std::vector<JobProblem> UrlProblems(const JobConfig& config);

// Whether the job reads something that no path of this machine names.
bool ReadsUrls(const JobConfig& config);

}  // namespace fpo
