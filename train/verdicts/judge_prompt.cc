#include "train/verdicts/judge_prompt.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/evaluation/bradley_terry.h"
#include "common/evaluation/rating.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr int64_t kPromptBytesMax = 1 << 20;
constexpr absl::string_view kTurnBegin = "<|im_start|>", kTurnEnd = "<|im_end|>";

// One message of the user: some chat templates refuse a system message.
constexpr char kOwnText[] =

    R"(Two assistants have answered the same question. Decide which answer serves the person who
asked better.

Question:
{instruction}

Answer A:
{output_1}

Answer B:
{output_2}

Judge whether an answer is correct, does what was asked and helps; neither its length nor its place
counts. Reply with one letter, A or B, and nothing else.)";

constexpr char kOwnGradeText[] =

    R"(Two assistants have answered the same question. Work out yourself what a good answer holds,
then compare the two: which is correct, does what was asked and helps? Neither length nor place
counts.

Question:
{instruction}

Answer A:
{output_1}

Answer B:
{output_2}

Give your reasons in a few sentences, then a grade on a line of its own, exactly one of these:
[[A>>B]] answer A is much better
[[A>B]] answer A is somewhat better
[[A=B]] they are about as good
[[B>A]] answer B is somewhat better
[[B>>A]] answer B is much better)";

// The parts of a comparison and the names of their places.
struct PromptPlace {
  absl::string_view name;
  std::string Comparison::*part;
};
const PromptPlace kPromptPlaces[] = {
    {"{instruction}", &Comparison::question}, {"{question}", &Comparison::question},
    {"{output_1}", &Comparison::first},       {"{answer_a}", &Comparison::first},
    {"{output_2}", &Comparison::second},      {"{answer_b}", &Comparison::second},
    {"{question_1}", &Comparison::question},  {"{QUESTION}", &Comparison::question},
    {"{answer_1}", &Comparison::first},       {"{ANSWER_A}", &Comparison::first},
    {"{answer_2}", &Comparison::second},      {"{ANSWER_B}", &Comparison::second},
};

const PromptPlace* PromptPlaceAt(absl::string_view text) {
  for (const PromptPlace& place : kPromptPlaces) {
    if (absl::StartsWith(text, place.name)) return &place;
  }
  return nullptr;
}

std::string FilledText(absl::string_view text, const Comparison& comparison) {
  std::string result;
  while (!text.empty()) {
    const size_t brace = std::min(text.find('{'), text.size());
    absl::StrAppend(&result, text.substr(0, brace));
    text.remove_prefix(brace);
    if (text.empty()) break;
    const PromptPlace* place = PromptPlaceAt(text);
    absl::StrAppend(&result, place == nullptr ? std::string("{") : comparison.*place->part);
    text.remove_prefix(place == nullptr ? 1 : place->name.size());
  }
  return result;
}

absl::Status WrongPrompt(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the judge's instructions ", what));
}

bool HasPromptPlace(absl::string_view text, std::string Comparison::*part) {
  for (const PromptPlace& place : kPromptPlaces) {
    if (place.part == part && absl::StrContains(text, place.name)) return true;
  }
  return false;
}

absl::Status CheckPromptPlaces(absl::string_view text) {
  if (!HasPromptPlace(text, &Comparison::question)) {
    return WrongPrompt("have no {instruction}, where the question goes");
  }
  if (!HasPromptPlace(text, &Comparison::first))
    return WrongPrompt("have no {output_1}, for the first answer");
  if (HasPromptPlace(text, &Comparison::second)) return absl::OkStatus();
  return WrongPrompt("have no {output_2}, for the second answer");
}

absl::Status CheckPromptVerdicts(absl::string_view text, const std::vector<std::string>& tokens,
                                 VerdictForm form) {
  if (form == VerdictForm::kGrade) {
    if (absl::StrContains(text, "A>>B")) return absl::OkStatus();
    return WrongPrompt("do not name the grade A>>B, so the judge cannot know it");
  }
  for (const std::string& token : tokens) {
    if (absl::StrContains(text, token)) continue;
    return WrongPrompt(
        absl::StrCat("do not name the verdict ", token,
                     ", so the judge cannot know it; --verdicts says which two it answers"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JudgeMessage>> TurnsOfPrompt(absl::string_view text) {
  std::vector<JudgeMessage> messages;
  while (true) {
    const size_t begin = text.find(kTurnBegin);
    if (begin == absl::string_view::npos) return messages;
    text.remove_prefix(begin + kTurnBegin.size());
    const size_t line = text.find('\n'), end = text.find(kTurnEnd);
    if (end == absl::string_view::npos || line > end) {
      return WrongPrompt("have <|im_start|> without a role in its line, or without an <|im_end|>");
    }
    JudgeMessage message;
    message.role = std::string(absl::StripAsciiWhitespace(text.substr(0, line)));
    message.text = std::string(absl::StripAsciiWhitespace(text.substr(line, end - line)));
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      return WrongPrompt(
          absl::StrCat("have the role \"", message.role, "\"; it is system, user or assistant"));
    }
    messages.push_back(std::move(message));
    text.remove_prefix(end + kTurnEnd.size());
  }
}

// Whether the text begins with `token` and then with something that no word goes on with.
bool BeginsWithToken(absl::string_view text, absl::string_view token) {
  if (!absl::ConsumePrefix(&text, token)) return false;
  return text.empty() || !absl::ascii_isalnum(text[0]);
}

}  // namespace

JudgePrompt DefaultJudgePrompt(VerdictForm form) {
  return {{{"user", form == VerdictForm::kGrade ? kOwnGradeText : kOwnText}}, "A", "B", form};
}

absl::StatusOr<JudgePrompt> ParseJudgePrompt(absl::string_view text, const std::string& tokens,
                                             VerdictForm form) {
  const std::vector<std::string> pair = absl::StrSplit(tokens, ',');
  if (pair.size() != 2 || pair[0].empty() || pair[1].empty() || pair[0] == pair[1]) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", tokens, "\" are not two different verdicts with a comma between them, as in A,B"));
  }
  FPO_RETURN_IF_ERROR(CheckPromptPlaces(text));
  FPO_RETURN_IF_ERROR(CheckPromptVerdicts(text, pair, form));
  JudgePrompt prompt{{}, pair[0], pair[1], form};
  FPO_ASSIGN_OR_RETURN(prompt.messages, TurnsOfPrompt(text));
  if (prompt.messages.empty()) prompt.messages.push_back({"user", std::string(text)});
  return prompt;
}

absl::StatusOr<JudgePrompt> ReadJudgePrompt(const std::string& path, const std::string& tokens,
                                            VerdictForm form) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kPromptBytesMax));
  absl::StatusOr<JudgePrompt> prompt = ParseJudgePrompt(text, tokens, form);
  if (prompt.ok()) return prompt;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", prompt.status().message()));
}

JudgeConversation FillPrompt(const JudgePrompt& prompt, const Comparison& comparison) {
  JudgeConversation messages;
  for (const JudgeMessage& message : prompt.messages) {
    messages.push_back({message.role, FilledText(message.text, comparison)});
  }
  return messages;
}

std::optional<double> VerdictOfWords(const JudgePrompt& prompt, absl::string_view words) {
  const auto in_brackets = [&](absl::string_view token) {
    return absl::StrContains(words, absl::StrCat("[[", token, "]]"));
  };
  const bool first = in_brackets(prompt.first_token), second = in_brackets(prompt.second_token);
  const bool tie = in_brackets("C") || in_brackets("tie");
  if (first + second + tie > 1) return std::nullopt;
  if (first) return 1;
  if (second) return 0;
  if (tie) return 0.5;
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(words);
  if (BeginsWithToken(text, prompt.first_token)) return 1;
  if (BeginsWithToken(text, prompt.second_token)) return 0;
  if (BeginsWithToken(absl::AsciiStrToLower(text), "tie")) return 0.5;
  return std::nullopt;
}

void ReadVerdict(const JudgePrompt& prompt, absl::string_view words, Verdict* verdict) {
  switch (prompt.form) {
    case VerdictForm::kWinner:
      verdict->first = VerdictOfWords(prompt, words);
      return;
    case VerdictForm::kGrade:
      if (const std::optional<Grade> grade = ParseGrade(words)) verdict->first = ShareOf(*grade);
      return;
    case VerdictForm::kRating:
      verdict->rating = ParseRating(words);
      return;
  }
}

std::string DigestOf(const JudgePrompt& prompt) {
  Sha256 digest;
  const auto add = [&](absl::string_view text) {
    digest.Update(absl::StrCat(text.size(), ":", text));
  };
  for (const JudgeMessage& message : prompt.messages) {
    add(message.role);
    add(message.text);
  }
  add(prompt.first_token);
  add(prompt.second_token);
  if (prompt.form == VerdictForm::kGrade) add("grade");
  if (prompt.form == VerdictForm::kRating) add("rating");
  return ToHex(digest.Finish());
}

}  // namespace fpo::train
