#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/rows/preference_row.h"

namespace fpo::train {

// The files that people have prompts in, and what the answers to each look like (answer_rows.h).
enum class PromptFormat { kAlpacaEval, kArenaHard, kMtBench, kJsonl };
// InvalidArgument lists the names: alpaca_eval, arena_hard, mt_bench, jsonl.
absl::StatusOr<PromptFormat> ParsePromptFormat(const std::string& name);

// One prompt as written, before template and tokens.
struct PromptRow {
  enum class Kind {
    kText,      // text as it is; a user's turn for a model with a template of its own
    kMessages,  // messages, the last of them a user's
    kIds,       // ids, used exactly as given
  };
  Kind kind = Kind::kText;
  int64_t index = 0;  // position in the file
  std::string where;  // "questions.jsonl:17"
  std::string text;
  std::vector<Message> messages;
  std::vector<int32_t> ids;
  std::vector<std::string> next_questions;  // mt_bench: asked after each answer
  std::string json;                         // the row, for what its answer repeats
};

struct PromptFile {
  std::vector<PromptRow> rows;
  std::vector<std::string> notes;  // for the user
};

// Reads .jsonl, .ndjson or .json, also .gz or .zst; at most `rows_max` rows, 0: all. The errors of
// RowSource; InvalidArgument names file and line of the first row that is no prompt of this format,
// and what the format needs, and a file without a row.
absl::StatusOr<PromptFile> ReadPromptFile(const std::string& path, PromptFormat format,
                                          int64_t rows_max);

}  // namespace fpo::train
