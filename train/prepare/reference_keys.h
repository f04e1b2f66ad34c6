#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/hash.h"
#include "common/reference/recipe.h"
#include "train/data/token_file.h"
#include "train/prepare/eval_sets.h"

namespace fpo::train {

// One distinct response the reference model has to score. Views into the token files.
struct ReferenceResponse {
  Digest key{};
  absl::Span<const int32_t> prompt, response;
};

// Pairs of the two token files, by index, ascending.
struct PairSelection {
  std::vector<int64_t> train;
  std::vector<int64_t> eval;
  std::vector<std::vector<int64_t>> more_eval = {};  // of each set after the first
};

// The token files of a job.
struct JobTokens {
  const TokenFile& train;
  const TokenFile& eval;
  const std::vector<EvalTokens>& more_eval;
};

// The distinct responses of the selected pairs in manifest order: train pairs first (chosen,
// rejected, in row order), then eval pairs, set by set; each key once. The ordinals of the score
// protocol are positions in this list.
std::vector<ReferenceResponse> ReferenceResponses(const JobTokens& tokens,
                                                  const PairSelection& pairs);

// Writes OUT/reference.keys and OUT/reference.json for a prepared folder.
absl::Status WriteReferencePlan(const std::string& out, const Recipe& recipe,
                                const std::vector<ReferenceResponse>& responses);

}  // namespace fpo::train
