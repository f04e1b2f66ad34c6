#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo::train {

// Two models' answers to one question.
struct AnswerPair {
  int64_t index = 0;     // of the question in the baseline's file, from 0
  std::string question;  // as a judge reads it
  std::string dataset;   // of AlpacaEval's rows; else empty
  std::string baseline_output;
  std::string model_output;
};

struct AnswerPairs {
  std::string baseline;  // the models' names, as their rows say
  std::string model;
  std::vector<AnswerPair> pairs;   // in the order of the model's file
  int64_t baseline_rows = 0;       // all of them: the set of questions
  std::vector<std::string> notes;  // for the user
};

// Reads the answers of `fpo-train generate` (jsonl, alpaca_eval, arena_hard) and AlpacaEval's
// model_outputs.json, .json or .jsonl, also .gz or .zst, and puts together what answers the same
// question: by its text, and where one is asked several times, by its turn. The errors of
// RowSource; InvalidArgument names file and line of a row that is no answer, and of one whose
// question the baseline was not asked; a file without a row, or with more than a million. Questions
// that only the baseline has are counted in a note, and so are files whose rows name several
// models.
absl::StatusOr<AnswerPairs> ReadAnswerPairs(const std::string& model_path,
                                            const std::string& baseline_path, int64_t pairs_max);

}  // namespace fpo::train
