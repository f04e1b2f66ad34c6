#include "train/verdicts/vote_rows.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "train/rows/row_fields.h"

namespace fpo::train {
namespace {

constexpr int kVotersMax = 100;

std::string VoteText(const nlohmann::json& row, absl::string_view key) {
  return HasString(row, key) ? FieldOf(row, key)->get<std::string>() : "";
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
  if (!annotation.preference || !HasString(row, "output_1") || !HasString(row, "output_2")) {
    return std::nullopt;
  }
  annotation.instruction = VoteText(row, "input");
  annotation.baseline_output = VoteText(row, "output_1");
  annotation.model_output = VoteText(row, "output_2");
  annotation.annotator = "LLMBar";
  return annotation;
}

std::optional<Annotation> PandaLmVotes(const nlohmann::json& row) {
  if (!HasString(row, "instruction") || !HasString(row, "response1") ||
      !HasString(row, "response2")) {
    return std::nullopt;
  }
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
  annotation.instruction = VoteText(row, "instruction");
  const std::string input = VoteText(row, "input");
  if (!input.empty()) absl::StrAppend(&annotation.instruction, "\n\n", input);
  annotation.baseline_output = VoteText(row, "response1");
  annotation.model_output = VoteText(row, "response2");
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
