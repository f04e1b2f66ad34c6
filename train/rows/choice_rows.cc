#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "train/rows/message_json.h"
#include "train/rows/row_fields.h"
#include "train/rows/row_readers.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;
using Kind = PreferenceRow::Kind;

// Which of two responses is better.
enum class Better { kFirst, kSecond, kNeither };

// How a form writes its decision.
enum class Rule {
  kOneOrTwo,    // the number of the better response; 0: neither
  kIndex,       // 0 or 1
  kFirstIfOne,  // 1: the first; 0: the second
  kSign,        // below 0: the first; above: the second
  kWinner,      // "model_a", "model_b", "tie"
  kVotes,       // annotator1, annotator2, ...: each as kOneOrTwo; the majority
};

struct ChoiceForm {
  const char *first, *second, *decision;
  Rule rule;
};

constexpr ChoiceForm kChoices[] = {
    {"output_1", "output_2", "label", Rule::kOneOrTwo},                // LLMBar
    {"response1", "response2", "annotator1", Rule::kVotes},            // PandaLM
    {"response1", "response2", "overall_preference", Rule::kSign},     // HelpSteer3
    {"response_0", "response_1", "better_response_id", Rule::kIndex},  // SafeRLHF
    {"human_ref_A", "human_ref_B", "labels", Rule::kFirstIfOne},       // SHP
    {"conversation_a", "conversation_b", "winner", Rule::kWinner},     // Chatbot Arena
    {"response_a", "response_b", "winner", Rule::kWinner},
};

const ChoiceForm* ChoiceOf(const Json& row) {
  for (const ChoiceForm& form : kChoices) {
    if (HasField(row, form.first) && HasField(row, form.second) && HasField(row, form.decision)) {
      return &form;
    }
  }
  return nullptr;
}

absl::StatusOr<Better> ByVotes(const Json& row) {
  int first = 0, second = 0;
  for (int i = 1; HasField(row, absl::StrCat("annotator", i)); ++i) {
    const std::optional<double> vote = NumberOf(row, absl::StrCat("annotator", i));
    first += vote == 1;
    second += vote == 2;
  }
  return first > second ? Better::kFirst : second > first ? Better::kSecond : Better::kNeither;
}

absl::StatusOr<Better> ByWord(const std::string& word) {
  const bool a = word == "model_a" || word == "a" || word == "A";
  const bool b = word == "model_b" || word == "b" || word == "B";
  if (a) return Better::kFirst;
  if (b) return Better::kSecond;
  if (absl::StrContains(word, "tie")) return Better::kNeither;
  return absl::InvalidArgumentError(absl::StrCat("'winner' is \"", word, "\""));
}

absl::StatusOr<Better> Decide(const Json& row, const ChoiceForm& form) {
  if (form.rule == Rule::kVotes) return ByVotes(row);
  if (form.rule == Rule::kWinner) {
    FPO_ASSIGN_OR_RETURN(const std::string word, TakeString(row, form.decision));
    return ByWord(word);
  }
  const std::optional<double> value = NumberOf(row, form.decision);
  if (form.rule == Rule::kSign && value) {
    return *value < 0 ? Better::kFirst : *value > 0 ? Better::kSecond : Better::kNeither;
  }
  const double first = form.rule == Rule::kIndex ? 0 : 1;
  const double second = form.rule == Rule::kIndex ? 1 : form.rule == Rule::kOneOrTwo ? 2 : 0;
  if (value == first) return Better::kFirst;
  if (value == second) return Better::kSecond;
  if (value == 0 && form.rule == Rule::kOneOrTwo) return Better::kNeither;
  return absl::InvalidArgumentError(absl::StrCat("'", form.decision, "' is ",
                                                 row[form.decision].dump().substr(0, 40),
                                                 ", which names neither response"));
}

// The row as {prompt ..., chosen, rejected}, which the other readers know.
Json AsPair(const Json& row, const Json& chosen, const Json& rejected) {
  Json pair = {{"chosen", chosen}, {"rejected", rejected}};
  for (const char* key : {"prompt", "instruction", "input", "question", "query", "context"}) {
    if (const Json* field = FieldOf(row, key)) pair[key] = *field;
  }
  if (HasString(row, "history")) pair["instruction"] = row["history"];
  return pair;
}

absl::Status ReadPair(const Json& pair, PreferenceRow* out) {
  const bool strings = HasString(pair, "chosen") && HasString(pair, "rejected");
  if (!strings || HasList(pair, "prompt") || HasList(pair, "context")) {
    return ReadMessageRow(pair, out);
  }
  return HasString(pair, "prompt") ? ReadStrings(pair, out) : ReadInstruction(pair, out);
}

// One of several completions and how good it is: higher is better.
struct Completion {
  const Json* text = nullptr;
  std::optional<double> score;
};

Completion CompletionOf(const Json& item) {
  Completion completion;
  for (const char* key : {"completion", "response", "text", "content", "output"}) {
    if (completion.text == nullptr) completion.text = FieldOf(item, key);
  }
  for (const char* key : {"overall_score", "score", "rating", "fine-grained_score"}) {
    if (!completion.score) completion.score = NumberOf(item, key);
  }
  const std::optional<double> rank = NumberOf(item, "rank");
  if (rank) completion.score = -*rank;
  return completion;
}

}  // namespace

bool IsChoice(const Json& row) { return ChoiceOf(row) != nullptr; }

absl::Status ReadChoice(const Json& row, PreferenceRow* out) {
  const ChoiceForm* form = ChoiceOf(row);
  if (form == nullptr) return NoField("chosen");
  for (const char* key : {form->first, form->second}) {
    if (HasString(row, key) || HasList(row, key)) continue;
    return absl::InvalidArgumentError(absl::StrCat("field '", key, "' is ", row[key].type_name(),
                                                   ", expected a text or a list of messages"));
  }
  FPO_ASSIGN_OR_RETURN(const Better better, Decide(row, *form));
  const bool first = better != Better::kSecond;
  const Json pair =
      AsPair(row, row[first ? form->first : form->second], row[first ? form->second : form->first]);
  FPO_RETURN_IF_ERROR(ReadPair(pair, out));
  if (better == Better::kNeither) out->drop_reason = "tie";
  return absl::OkStatus();
}

// The best and the worst of the completions.
absl::Status ReadRanked(const Json& row, PreferenceRow* out) {
  std::vector<Completion> completions;
  for (const Json& item : row["completions"]) {
    Completion completion = CompletionOf(item);
    if (completion.text == nullptr || !completion.score) {
      return absl::InvalidArgumentError(absl::StrCat(
          "entry ", completions.size(), " of 'completions' has no text with a rank or score"));
    }
    completions.push_back(completion);
  }
  if (completions.empty()) {
    *out = {};
    out->drop_reason = "empty_response";
    return absl::OkStatus();
  }
  const auto worse = [](const Completion& a, const Completion& b) { return *a.score < *b.score; };
  const auto best = std::max_element(completions.begin(), completions.end(), worse);
  const auto worst = std::min_element(completions.begin(), completions.end(), worse);
  FPO_RETURN_IF_ERROR(ReadPair(AsPair(row, *best->text, *worst->text), out));
  out->chosen_score = best->score;
  out->rejected_score = worst->score;
  if (completions.size() == 1) {
    out->has_rejected = false;
    out->rejected.clear();
    out->rejected_messages.clear();
    out->rejected_score.reset();
  }
  if (out->has_rejected && best->score == worst->score) out->pair_drop_reason = "tie";
  return absl::OkStatus();
}

}  // namespace fpo::train
