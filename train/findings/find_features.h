#pragma once

#include <vector>

#include "absl/status/status.h"
#include "train/data/token_file.h"
#include "train/findings/findings.h"
#include "train/findings/pair_features.h"
#include "train/findings/pair_texts.h"
#include "train/loop/model_loader.h"

namespace fpo::train {

// What the training pairs' records were made with.
struct RecordedPairs {
  const PairFeatures& features;
  const TokenFile& train;
  const PairTexts& texts;
  const Gemma& model;
  const std::vector<LoadedSae>& saes;  // empty: log-probabilities only
};

// Fills in which features separate chosen from rejected responses, and where they are strong:
// `features*`, `plain`.
absl::Status FindFeatures(const RecordedPairs& pairs, Findings* findings);

}  // namespace fpo::train
