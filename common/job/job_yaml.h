#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/job/job_file.h"
#include "common/job/job_node.h"

namespace fpo {

// YAML text as a tree with lines. Syntax errors are InvalidArgument with their line. Duplicate
// keys, tags, anchors and more than 16 levels go into `problems`; the tree then lacks those parts.
absl::StatusOr<JobNode> ParseJobYaml(absl::string_view text, std::vector<JobProblem>* problems);

}  // namespace fpo
