#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/evaluation/win_rate.h"
#include "train/verdicts/answer_pairs.h"

namespace fpo::train {

// One judged pair of answers, as AlpacaEval's annotations.json has it and `fpo-train judge` writes
// it: output_1 is the baseline's answer.
struct Annotation {
  std::string instruction;
  std::string baseline, baseline_output;  // generator_1, output_1
  std::string model, model_output;        // generator_2, output_2
  std::string annotator;
  std::optional<double> preference;  // in [0, 1], of the model; nullopt: the judge gave none
  // The judge's first token with its candidates, where the file keeps it (raw_completion); the
  // judge may have seen the answers in either order.
  TokenCandidates first_token;
};

// Reads .json or .jsonl, also .gz or .zst; people's votes too, in the forms of vote_rows.h. The
// errors of RowSource; InvalidArgument names file, line and field of the first row that is no
// annotation, and a preference that is neither null, 0, nor in 1 to 2; and a file without a row.
absl::StatusOr<std::vector<Annotation>> ReadAnnotations(const std::string& path);

// The pairs that were judged, for another judge: the first `pairs_max` (0: all) of at least one.
// What was said of them is no part of it.
AnswerPairs AnswersOf(const std::vector<Annotation>& annotations, int64_t pairs_max);

// The preferences that there are, in order.
std::vector<double> PreferencesOf(const std::vector<Annotation>& annotations);

// Code points, which Python counts; a byte that is not UTF-8 counts as one.
int64_t CodePoints(absl::string_view text);

}  // namespace fpo::train
