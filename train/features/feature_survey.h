#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/features/feature_report.h"
#include "train/data/token_file.h"
#include "train/loop/model_loader.h"
#include "train/model/gemma.h"
#include "train/reference/reference_source.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// What is compared; everything outlives the survey.
struct SurveyModels {
  const Gemma& after;             // the policy
  const Gemma* before = nullptr;  // the reference; null: not in memory
  // Its pooled codes of every SAE, all of their features; null: computed with `before`. One of the
  // two must be there.
  ReferenceSource* records = nullptr;
  const std::vector<LoadedSae>& saes;
  const Tokenizer& tokenizer;
};

struct SurveyOptions {
  int64_t top = 20;        // features on each side
  int64_t spans = 3;       // of each feature
  int64_t around = 8;      // tokens of a span on each side of the strongest
  int64_t others = 1000;   // more features, without spans
  int64_t fit_pairs = 16;  // for the SAEs' fit, which takes more passes; at most all
  int64_t tokens_per_batch = 16384;
  bool both_sides = true;  // false: pairs have no rejected side
  // With fewer pairs where the passes would take longer, at least one batch.
  absl::Duration limit = absl::InfiniteDuration();
  std::function<absl::Time()> now = [] { return absl::Now(); };
  std::function<bool()> stop = {};  // asked between batches
};

struct Survey {
  std::vector<SaeMovement> saes;  // without labels
  int64_t pairs = 0;              // that were used
};

// Measures the movement of every feature on the first `pairs` pairs, finds the spans of those that
// moved most, and how well the SAEs fit before and after. Passes: the policy twice and the
// reference once or twice up to the SAEs' layers, then three whole ones of each over `fit_pairs`.
// Keeps a few numbers for every feature and the codes of one batch's responses, nothing of size
// [tokens, features]. Cancelled: `stop` said so.
absl::StatusOr<Survey> SurveyFeatures(const SurveyModels& models, const TokenFile& pairs,
                                      int64_t count, const SurveyOptions& options);

}  // namespace fpo::train
