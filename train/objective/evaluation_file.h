#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "train/data/token_file.h"
#include "train/objective/pair_values.h"

namespace fpo::train {

// One JSON object a line and pair, in the order of `pairs`: "index", "id" where the row has one,
// "row" (its number in the data files, from 0), "pair" (its PairName, by which evaluations of
// several models are paired), then the fields of `values` that are present. A value that is not
// finite is null. Written as a whole or not at all; storage error.
absl::Status WriteEvaluationFile(const std::string& path, const TokenFile& pairs,
                                 const PairValues& values);

// Where a run keeps that of a step: OUT/evaluations/step-N.jsonl; of a set with a name
// OUT/evaluations/NAME/step-N.jsonl.
std::string EvaluationFileOf(const std::string& out, int64_t step, const std::string& set = "");

}  // namespace fpo::train
