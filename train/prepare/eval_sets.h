#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/data/token_file.h"

namespace fpo::train {

// The tokens of one of several sets of data.eval.
struct EvalTokens {
  std::string name;
  TokenFile tokens;
};

// PREPARED/eval.NAME.safetensors, of a set after the first, whose file is eval.safetensors.
std::string EvalSetFile(const std::string& prepared, const std::string& name);
// The sets of data.eval after the first, in order. NotFound when `prepared` was made without them.
absl::StatusOr<std::vector<EvalTokens>> OpenEvalSets(const JobConfig& job,
                                                     const std::string& prepared);

}  // namespace fpo::train
