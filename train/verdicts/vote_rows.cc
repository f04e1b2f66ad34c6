#include "train/verdicts/vote_rows.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "train/rows/row_fields.h"

namespace fpo::train {
namespace {

constexpr int kVotersMax = 100;

// The text of a field; PandaLM's file has answers that became true, false or a number: their JSON.
std::optional<std::string> VoteText(const nlohmann::json& row, absl::string_view key) {
  if (HasString(row, key)) return FieldOf(row, key)->get<std::string>();
  if (!HasField(row, key)) return std::nullopt;
  const nlohmann::json& field = *FieldOf(row, key);
  if (!field.is_boolean() && !field.is_number()) return std::nullopt;
  return field.dump();
}

// The preference that a vote is.
std::optional<double> VoteOf(const nlohmann::json& row, absl::string_view key) {
  const std::optional<double> vote = NumberOf(row, key);
  if (!vote || (*vote != 0 && *vote != 1 && *vote != 2)) return std::nullopt;
  return *vote == 0 ? 0.5 : *vote - 1;
}

std::optional<Annotation> LlmBarVote(const nlohmann::json& row) {
  Annotation annotation;
  annotation.preference = VoteOf(row, "label");
  const auto first = VoteText(row, "output_1"), second = VoteText(row, "output_2");
  if (!annotation.preference || !first || !second) return std::nullopt;
  annotation.instruction = VoteText(row, "input").value_or("");
  annotation.baseline_output = *first;
  annotation.model_output = *second;
  annotation.annotator = "LLMBar";
  return annotation;
}

std::optional<Annotation> PandaLmVotes(const nlohmann::json& row) {
  const auto first = VoteText(row, "response1"), second = VoteText(row, "response2");
  if (!HasString(row, "instruction") || !first || !second) return std::nullopt;
  double sum = 0;
  int voters = 0;
  while (voters < kVotersMax && HasField(row, absl::StrCat("annotator", voters + 1))) {
    const std::optional<double> vote = VoteOf(row, absl::StrCat("annotator", voters + 1));
    if (!vote) return std::nullopt;
    sum += *vote;
    ++voters;
  }
  if (voters == 0) return std::nullopt;
  Annotation annotation;
  annotation.preference = sum / voters;
  annotation.instruction = VoteText(row, "instruction").value_or("");
  const std::string input = VoteText(row, "input").value_or("");
  if (!input.empty()) absl::StrAppend(&annotation.instruction, "\n\n", input);
  annotation.baseline_output = *first;
  annotation.model_output = *second;
  annotation.annotator = "PandaLM";
  return annotation;
}

}  // namespace

std::optional<Annotation> VotesOfRow(const nlohmann::json& row) {
  if (HasField(row, "preference")) return std::nullopt;
  std::optional<Annotation> votes = LlmBarVote(row);
  return votes ? votes : PandaLmVotes(row);
}

}  // namespace fpo::train
