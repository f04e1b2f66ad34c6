#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/generate/prompt_rows.h"

namespace fpo::train {

// What was generated for one prompt: a text per question.
struct AnswerTurns {
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> ids;  // without the ends
  bool stopped = true;                    // every text ended by itself, none at max_new_tokens
};

struct AnswerNames {
  PromptFormat format = PromptFormat::kJsonl;
  std::string generator;  // the model's name in the rows
  std::string settings;   // digest of the settings: ids of answers derive from it
  int64_t unix_seconds = 0;
};

// The row that the benchmark's tools read, as JSON on one line:
//   alpaca_eval  {"dataset"?, "instruction", "input"?, "output", "generator"}
//   arena_hard   {"uid" or "question_id", "ans_id", "model", "messages", "tstamp"}
//   mt_bench     {"question_id", "answer_id", "model_id", "choices", "tstamp"}
//   jsonl        {"index", "id"?, "prompt" or "prompt_ids", "output", "output_ids"?, "generator",
//                 "tokens", "finish_reason": "stop" | "length"}; "output_ids" where the prompt is
//                 ids
std::string AnswerRow(const PromptRow& prompt, const AnswerTurns& turns, const AnswerNames& names);

// By what a prompt's answer is recognised in a file: alpaca_eval: its instruction and input, which
// may occur several times; otherwise its id, of jsonl its index.
std::string KeyOfPrompt(const PromptRow& prompt, PromptFormat format);
// The same of a row of answers; InvalidArgument when it is no such row.
absl::StatusOr<std::string> KeyOfAnswer(absl::string_view row, PromptFormat format);

}  // namespace fpo::train
