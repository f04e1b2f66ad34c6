#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/job/job_file.h"
#include "common/job/job_node.h"

namespace fpo {

// Fills `config` from the tree by the field table. Unknown keys, wrong types and values out of
// range go into `problems`, each with its line and what is allowed; the other fields are still
// read.
void ReadJobTree(const JobNode& root, JobConfig* config, std::vector<JobProblem>* problems);

}  // namespace fpo
