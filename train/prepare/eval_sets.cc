#include "train/prepare/eval_sets.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace fpo::train {

std::string EvalSetFile(const std::string& prepared, const std::string& name) {
  return absl::StrCat(prepared, "/eval.", name, ".safetensors");
}

absl::StatusOr<std::vector<EvalTokens>> OpenEvalSets(const JobConfig& job,
                                                     const std::string& prepared) {
  std::vector<EvalTokens> sets;
  for (const EvalSetSection& set : job.data.more_eval) {
    FPO_ASSIGN_OR_RETURN(TokenFile tokens, TokenFile::Open(EvalSetFile(prepared, set.name)));
    sets.push_back({set.name, std::move(tokens)});
  }
  return sets;
}

}  // namespace fpo::train
