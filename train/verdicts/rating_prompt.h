#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/verdicts/judge_prompt.h"
#include "train/verdicts/rated_turns.h"

namespace fpo::train {

// What a judge is told that rates one answer: of a first turn or a second one, each with and
// without a reference answer.
struct RatingPrompt {
  std::string name;  // as the file calls it
  JudgeConversation messages;
};
struct RatingPrompts {
  RatingPrompt first, first_with_reference, second, second_with_reference;
};

// This project's own instructions.
RatingPrompts DefaultRatingPrompts();

// FastChat's judge_prompts.jsonl, of which the rows of type "single" are read: name, system_prompt
// and prompt_template with places {question}, {answer}, {question_1}, {answer_1}, {question_2},
// {answer_2}, {ref_answer_1}, {ref_answer_2}. A row with {question_2} is of a second turn, one with
// {ref_answer_1} is with a reference. InvalidArgument names what a row lacks, and a kind of prompt
// that the file lacks or has twice.
absl::StatusOr<RatingPrompts> ReadRatingPrompts(const std::string& path);

// The prompt for a turn, and its messages with the turn's texts. Places in the texts themselves
// stay as they are.
const RatingPrompt& PromptFor(const RatingPrompts& prompts, const RatedTurn& turn);
JudgeConversation FillRatingPrompt(const RatingPrompt& prompt, const RatedTurn& turn);

// For a judge's identity and the form of its verdicts: the messages of all four, unfilled.
JudgePrompt AsJudgePrompt(const RatingPrompts& prompts);

}  // namespace fpo::train
