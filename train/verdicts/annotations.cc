#include "train/verdicts/annotations.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/utf8.h"
#include "train/rows/row_fields.h"
#include "train/rows/row_json.h"
#include "train/rows/row_source.h"
#include "train/verdicts/vote_rows.h"

namespace fpo::train {
namespace {

constexpr size_t kAnnotationsMax = 1'000'000;

absl::Status ReadJudgedPreference(const nlohmann::json& row, Annotation* out) {
  const nlohmann::json* field = FieldOf(row, "preference");
  if (field == nullptr) return absl::OkStatus();
  const std::optional<double> number = NumberOf(row, "preference");
  if (number) out->preference = PreferenceOfAnnotation(*number);
  if (out->preference) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"preference\" is ", field->dump(),
      "; it is 1 where output_1 is better, 2 where output_2 is, a number between them, "
      "0 or 1.5 for a draw, or null"));
}

// What an OpenAI-like server says of the first token.
TokenCandidates FirstToken(const nlohmann::json& row) {
  TokenCandidates candidates;
  const nlohmann::json::json_pointer path("/raw_completion/logprobs/content/0/top_logprobs");
  if (!HasObject(row, "raw_completion") || !row.contains(path)) return candidates;
  for (const nlohmann::json& candidate : row.at(path)) {
    if (!HasString(candidate, "token")) continue;
    if (const std::optional<double> log_prob = NumberOf(candidate, "logprob")) {
      candidates.emplace_back(candidate.at("token").get<std::string>(), *log_prob);
    }
  }
  return candidates;
}

std::string TextOfField(const nlohmann::json& row, absl::string_view key) {
  return HasString(row, key) ? FieldOf(row, key)->get<std::string>() : "";
}

absl::StatusOr<Annotation> ReadAnnotation(absl::string_view text) {
  size_t bad = 0;
  FPO_ASSIGN_OR_RETURN(const nlohmann::json row, ParseRowJson(text, &bad));
  if (!row.is_object()) return absl::InvalidArgumentError("it is not a JSON object");
  if (std::optional<Annotation> votes = VotesOfRow(row)) return *std::move(votes);
  Annotation annotation;
  FPO_ASSIGN_OR_RETURN(annotation.instruction, TakeString(row, "instruction"));
  FPO_ASSIGN_OR_RETURN(annotation.baseline_output, TakeString(row, "output_1"));
  FPO_ASSIGN_OR_RETURN(annotation.model_output, TakeString(row, "output_2"));
  annotation.baseline = TextOfField(row, "generator_1");
  annotation.model = TextOfField(row, "generator_2");
  annotation.annotator = TextOfField(row, "annotator");
  FPO_RETURN_IF_ERROR(ReadJudgedPreference(row, &annotation));
  annotation.first_token = FirstToken(row);
  return annotation;
}

}  // namespace

absl::StatusOr<std::vector<Annotation>> ReadAnnotations(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RowSource> source, RowSource::Open(path));
  std::vector<Annotation> annotations;
  while (true) {
    FPO_ASSIGN_OR_RETURN(const std::optional<RowText> text, source->Next());
    if (!text) break;
    absl::StatusOr<Annotation> read = ReadAnnotation(text->text);
    if (!read.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", text->line, ": no annotation: ", read.status().message()));
    }
    if (annotations.size() == kAnnotationsMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " holds more than ", kAnnotationsMax, " annotations"));
    }
    annotations.push_back(*std::move(read));
  }
  if (annotations.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " holds no annotation"));
  }
  return annotations;
}

AnswerPairs AnswersOf(const std::vector<Annotation>& annotations, int64_t pairs_max) {
  AnswerPairs answers;
  const auto named = [](const std::string& name, const char* otherwise) {
    return name.empty() ? std::string(otherwise) : name;
  };
  answers.baseline = named(annotations.front().baseline, "output_1");
  answers.model = named(annotations.front().model, "output_2");
  std::set<std::string> models;
  for (const Annotation& annotation : annotations) {
    if (pairs_max > 0 && static_cast<int64_t>(answers.pairs.size()) == pairs_max) break;
    models.insert(annotation.model);
    answers.pairs.push_back({static_cast<int64_t>(answers.pairs.size()), annotation.instruction, "",
                             annotation.baseline_output, annotation.model_output});
  }
  answers.baseline_rows = static_cast<int64_t>(annotations.size());
  if (models.size() > 1) {
    answers.notes.push_back(absl::StrCat("there are pairs of ", models.size(),
                                         " models; they are judged as those of ", answers.model));
  }
  return answers;
}

std::vector<double> PreferencesOf(const std::vector<Annotation>& annotations) {
  std::vector<double> preferences;
  for (const Annotation& annotation : annotations) {
    if (annotation.preference) preferences.push_back(*annotation.preference);
  }
  return preferences;
}

int64_t CodePoints(absl::string_view text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    if (NextCodePoint(text, &at) < 0) ++at;
  }
  return count;
}

}  // namespace fpo::train
