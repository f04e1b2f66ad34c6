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

using JudgeConversation = std::vector<JudgeMessage>;

// How a judge answers: which answer is better, by one of two tokens; how much better, by one of
// Arena-Hard's five grades ([[A>>B]]); or a rating of one answer from 1 to 10 ([[7]]).
enum class VerdictForm { kWinner, kGrade, kRating };

// What a judge is told, with places for a comparison, and how it answers.
struct JudgePrompt {
  JudgeConversation messages;
  std::string first_token = "A";
  std::string second_token = "B";
  VerdictForm form = VerdictForm::kWinner;
};

// This project's own instructions: one letter, A or B; or reasons, then a grade.
JudgePrompt DefaultJudgePrompt(VerdictForm form = VerdictForm::kWinner);

// Reads instructions from a file of at most 1 MiB: the text of one user message, or messages
// between the marks <|im_start|>ROLE and <|im_end|>, as AlpacaEval's prompt files have them.
// Places: {instruction} or {question}, {output_1} or {answer_a}, {output_2} or {answer_b}, and
// Arena-Hard's {question_1} or {QUESTION}, {answer_1} or {ANSWER_A}, {answer_2} or {ANSWER_B}.
// `tokens`: the two answers, with a comma between them: "m,M"; of grades there is no choice.
// InvalidArgument: a place, a token or a grade is missing, the tokens are equal, marks do not
// match.
absl::StatusOr<JudgePrompt> ReadJudgePrompt(const std::string& path, const std::string& tokens,
                                            VerdictForm form = VerdictForm::kWinner);
absl::StatusOr<JudgePrompt> ParseJudgePrompt(absl::string_view text, const std::string& tokens,
                                             VerdictForm form = VerdictForm::kWinner);

// The messages of one comparison. Places in the answers themselves stay as they are.
JudgeConversation FillPrompt(const JudgePrompt& prompt, const Comparison& comparison);

// Puts into `verdict` what a judge's words say, in the form that the prompt asks for; nothing where
// they do not say it.
void ReadVerdict(const JudgePrompt& prompt, absl::string_view words, Verdict* verdict);

// The verdict in a judge's words: one of the tokens alone, at the beginning of the answer or in
// double brackets ([[A]]); 0.5 for "tie" or [[C]]. Nothing where it names none, or both in
// brackets.
std::optional<double> VerdictOfWords(const JudgePrompt& prompt, absl::string_view words);

// SHA-256 of the instructions, the tokens and the form, in hex: part of a judge's identity.
std::string DigestOf(const JudgePrompt& prompt);

}  // namespace fpo::train
