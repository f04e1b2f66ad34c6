#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "train/data/token_file.h"
#include "train/findings/findings.h"
#include "train/findings/pair_features.h"

namespace fpo::train {

// findings.json: one object, indented, with the fields that docs/data.md describes.
std::string FindingsJson(const Findings& findings);

// A training pair of pairs.jsonl.
struct InspectedPair {
  int64_t index = 0;  // among the admitted pairs
  TokenPairView tokens;
  std::string id;
  int64_t group = 0;  // the first pair with its prompt, or that is like it
};
// Its line, without a line feed.
std::string InspectedPairJson(const InspectedPair& pair, const PairFeatures::Row& row,
                              const std::optional<LabelCheck>& labels);

}  // namespace fpo::train
