#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/verdicts/verdict.h"

namespace fpo::train {

// One message to a chat model.
struct JudgeMessage {
  std::string role;  // system | user | assistant
  std::string text;
};

// What a judge is told, with places for a comparison, and the two tokens by which it answers.
struct JudgePrompt {
  std::vector<JudgeMessage> messages;
  std::string first_token = "A";
  std::string second_token = "B";
};

// This project's own instructions: one letter, A or B.
JudgePrompt DefaultJudgePrompt();

// Reads instructions from a file of at most 1 MiB: the text of one user message, or messages
// between the marks <|im_start|>ROLE and <|im_end|>, as AlpacaEval's prompt files have them.
// Places: {instruction} or {question}, {output_1} or {answer_a}, {output_2} or {answer_b}.
// `tokens`: the two answers, with a comma between them: "m,M". InvalidArgument: a place or a token
// is missing, the tokens are equal, marks do not match.
absl::StatusOr<JudgePrompt> ReadJudgePrompt(const std::string& path, const std::string& tokens);
absl::StatusOr<JudgePrompt> ParseJudgePrompt(absl::string_view text, const std::string& tokens);

// The messages of one comparison. Places in the answers themselves stay as they are.
std::vector<JudgeMessage> FillPrompt(const JudgePrompt& prompt, const Comparison& comparison);

// The verdict in a judge's words: one of the tokens alone, at the beginning of the answer or in
// double brackets ([[A]]); 0.5 for "tie" or [[C]]. Nothing where it names none, or both in
// brackets.
std::optional<double> VerdictOfWords(const JudgePrompt& prompt, absl::string_view words);

// SHA-256 of the instructions and the tokens, in hex: part of a judge's identity.
std::string DigestOf(const JudgePrompt& prompt);

}  // namespace fpo::train
