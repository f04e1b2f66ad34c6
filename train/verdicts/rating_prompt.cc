#include "train/verdicts/rating_prompt.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/rows/row_fields.h"
#include "train/rows/row_json.h"
#include "train/rows/row_source.h"

namespace fpo::train {
namespace {

constexpr char kRateFirst[] =
    R"(Rate an assistant's answer to a question: is it correct, does it do what was asked, does it
help? Length alone earns nothing.

Question:
{question}
)";
constexpr char kRateSecond[] =
    R"(Rate an assistant's answer to the second question of a conversation: is it correct, does it
do what was asked there, does it help? Length alone earns nothing, and the first answer is not
rated.

First question:
{question_1}

First answer:
{answer_1}

Second question:
{question_2}
)";
constexpr char kReferenceFirst[] = R"(
An answer that is known to be right:
{ref_answer_1}
)";
constexpr char kReferenceSecond[] = R"(
Answers that are known to be right, to the first and to the second question:
{ref_answer_1}

{ref_answer_2}
)";
constexpr char kRatedFirst[] = R"(
Answer:
{answer}
)";
constexpr char kRatedSecond[] = R"(
Second answer:
{answer_2}
)";
constexpr char kHowToRate[] = R"(
Give your reasons in a few sentences. Then end with the rating, a number from 1 (useless) to 10 (as
good as can be) in double brackets, as in: Rating: [[5]])";

RatingPrompt OwnRating(const char* name, const std::vector<const char*>& parts) {
  std::string text;
  for (const char* part : parts) absl::StrAppend(&text, part);
  return {name, {{"user", std::move(text)}}};
}

// Where a place's text comes from; place n of a list, from 0.
struct RatingPlace {
  absl::string_view name;
  std::vector<std::string> RatedTurn::*texts;
  size_t index = 0;
};
const RatingPlace kRatingPlaces[] = {
    {"{question}", &RatedTurn::questions, 0},      {"{answer}", &RatedTurn::answers, 0},
    {"{question_1}", &RatedTurn::questions, 0},    {"{answer_1}", &RatedTurn::answers, 0},
    {"{question_2}", &RatedTurn::questions, 1},    {"{answer_2}", &RatedTurn::answers, 1},
    {"{ref_answer_1}", &RatedTurn::references, 0}, {"{ref_answer_2}", &RatedTurn::references, 1},
};

std::string FilledRating(absl::string_view text, const RatedTurn& turn) {
  std::string result;
  while (!text.empty()) {
    const size_t brace = std::min(text.find('{'), text.size());
    absl::StrAppend(&result, text.substr(0, brace));
    text.remove_prefix(brace);
    if (text.empty()) break;
    const auto* place =
        std::find_if(std::begin(kRatingPlaces), std::end(kRatingPlaces), [&](const RatingPlace& p) {
          return absl::StartsWith(text, p.name) && p.index < (turn.*p.texts).size();
        });
    const bool is_place = place != std::end(kRatingPlaces);
    absl::StrAppend(&result, is_place ? (turn.*place->texts)[place->index] : std::string("{"));
    text.remove_prefix(is_place ? place->name.size() : 1);
  }
  return result;
}

absl::Status CheckRatingPlaces(const RatingPrompt& prompt, bool second, bool reference) {
  std::string all;
  for (const JudgeMessage& message : prompt.messages) absl::StrAppend(&all, message.text, "\n");
  std::vector<const char*> needed = {"{question}", "{answer}"};
  if (second) needed = {"{question_1}", "{answer_1}", "{question_2}", "{answer_2}"};
  if (reference && second) needed.push_back("{ref_answer_2}");
  for (const char* place : needed) {
    if (absl::StrContains(all, place)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the prompt \"", prompt.name, "\" has no place ", place));
  }
  return absl::OkStatus();
}

// Puts a row of type "single" where it belongs.
absl::Status TakePrompt(const nlohmann::json& row, RatingPrompts* prompts) {
  if (!HasString(row, "type") || FieldOf(row, "type")->get<std::string>() != "single") {
    return absl::OkStatus();
  }
  RatingPrompt prompt;
  FPO_ASSIGN_OR_RETURN(prompt.name, TakeString(row, "name"));
  FPO_ASSIGN_OR_RETURN(const std::string text, TakeString(row, "prompt_template"));
  const std::string system =
      HasString(row, "system_prompt") ? FieldOf(row, "system_prompt")->get<std::string>() : "";
  if (!system.empty()) prompt.messages.push_back({"system", system});
  prompt.messages.push_back({"user", text});
  const bool second = absl::StrContains(text, "{question_2}");
  const bool reference = absl::StrContains(text, "{ref_answer_1}");
  FPO_RETURN_IF_ERROR(CheckRatingPlaces(prompt, second, reference));
  RatingPrompt& place = second ? (reference ? prompts->second_with_reference : prompts->second)
                               : (reference ? prompts->first_with_reference : prompts->first);
  if (!place.messages.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the prompts \"", place.name, "\" and \"", prompt.name, "\" are of one kind"));
  }
  place = std::move(prompt);
  return absl::OkStatus();
}

absl::Status CheckAllThere(const RatingPrompts& prompts, const std::string& path) {
  const std::pair<const RatingPrompt*, const char*> kinds[] = {
      {&prompts.first, "a first turn"},
      {&prompts.first_with_reference, "a first turn with {ref_answer_1}"},
      {&prompts.second, "a second turn, with {question_2}"},
      {&prompts.second_with_reference, "a second turn with {ref_answer_1}"}};
  for (const auto& [prompt, what] : kinds) {
    if (!prompt->messages.empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has no prompt of type \"single\" for ", what));
  }
  return absl::OkStatus();
}

}  // namespace

RatingPrompts DefaultRatingPrompts() {
  return {
      OwnRating("own-single", {kRateFirst, kRatedFirst, kHowToRate}),
      OwnRating("own-single-reference", {kRateFirst, kReferenceFirst, kRatedFirst, kHowToRate}),
      OwnRating("own-second", {kRateSecond, kRatedSecond, kHowToRate}),
      OwnRating("own-second-reference", {kRateSecond, kReferenceSecond, kRatedSecond, kHowToRate})};
}

absl::StatusOr<RatingPrompts> ReadRatingPrompts(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RowSource> source, RowSource::Open(path));
  RatingPrompts prompts;
  while (true) {
    FPO_ASSIGN_OR_RETURN(const std::optional<RowText> text, source->Next());
    if (!text) break;
    size_t bad = 0;
    const absl::StatusOr<nlohmann::json> row = ParseRowJson(text->text, &bad);
    absl::Status status = row.status();
    if (row.ok() && !row->is_object()) {
      status = absl::InvalidArgumentError("it is not a JSON object");
    }
    if (status.ok()) status = TakePrompt(*row, &prompts);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", text->line, ": ", status.message()));
    }
  }
  FPO_RETURN_IF_ERROR(CheckAllThere(prompts, path));
  return prompts;
}

const RatingPrompt& PromptFor(const RatingPrompts& prompts, const RatedTurn& turn) {
  const bool reference = !turn.references.empty();
  if (turn.turn > 1) return reference ? prompts.second_with_reference : prompts.second;
  return reference ? prompts.first_with_reference : prompts.first;
}

JudgeConversation FillRatingPrompt(const RatingPrompt& prompt, const RatedTurn& turn) {
  JudgeConversation messages;
  for (const JudgeMessage& message : prompt.messages) {
    messages.push_back({message.role, FilledRating(message.text, turn)});
  }
  return messages;
}

JudgePrompt AsJudgePrompt(const RatingPrompts& prompts) {
  JudgePrompt all;
  all.form = VerdictForm::kRating;
  for (const RatingPrompt* prompt : {&prompts.first, &prompts.first_with_reference, &prompts.second,
                                     &prompts.second_with_reference}) {
    all.messages.insert(all.messages.end(), prompt->messages.begin(), prompt->messages.end());
  }
  return all;
}

}  // namespace fpo::train
