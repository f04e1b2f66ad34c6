#include "train/verdicts/answer_pairs.h"

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/utf8.h"
#include "train/rows/row_fields.h"
#include "train/rows/row_form.h"
#include "train/rows/row_json.h"
#include "train/rows/row_source.h"

namespace fpo::train {
namespace {

using AnswerJson = nlohmann::json;

constexpr size_t kAnswersMax = 1'000'000;

struct GivenAnswer {
  std::string question, dataset, output, generator;
  int64_t line = 0;
};

struct AnswerRows {
  std::string path;
  std::string generator;
  std::vector<GivenAnswer> rows;
};

absl::Status NoAnswer(const AnswerJson& row) {
  return absl::InvalidArgumentError(absl::StrCat(DescribeRow(row),
                                                 "; an answer has \"instruction\" or \"prompt\" "
                                                 "and \"output\", or Arena-Hard's \"messages\""));
}

std::string AnswerField(const AnswerJson& row, absl::string_view key) {
  return HasString(row, key) ? FieldOf(row, key)->get<std::string>() : "";
}

// A text, or what is said in a list of messages. One message of a user is its text.
std::string PromptTextIn(const AnswerJson& prompt) {
  if (prompt.is_string()) return prompt.get<std::string>();
  if (!prompt.is_array()) return "";
  std::string text;
  for (const AnswerJson& message : prompt) {
    if (!HasString(message, "role") || !HasString(message, "content")) return "";
    if (prompt.size() > 1) absl::StrAppend(&text, AnswerField(message, "role"), ": ");
    absl::StrAppend(&text, AnswerField(message, "content"), prompt.size() > 1 ? "\n\n" : "");
  }
  return text;
}

// {"messages": [{"role": "user", ...}, {"role": "assistant", "content": {"answer": ...}}]}
bool ReadArenaMessages(const AnswerJson& row, GivenAnswer* out) {
  const AnswerJson* messages = FieldOf(row, "messages");
  if (messages == nullptr || !messages->is_array() || messages->size() != 2) return false;
  const AnswerJson *asked = &messages->front(), *said = &messages->back();
  if (AnswerField(*asked, "role") != "user" || AnswerField(*said, "role") != "assistant")
    return false;
  out->question = AnswerField(*asked, "content");
  const AnswerJson* content = FieldOf(*said, "content");
  if (content == nullptr) return false;
  const AnswerJson* text = content->is_object() ? FieldOf(*content, "answer") : content;
  if (text == nullptr || !text->is_string()) return false;
  out->output = text->get<std::string>();
  out->generator = AnswerField(row, "model");
  return !out->question.empty();
}

absl::StatusOr<GivenAnswer> ReadAnswer(const RowText& text) {
  size_t bad = 0;
  FPO_ASSIGN_OR_RETURN(const AnswerJson row, ParseRowJson(text.text, &bad));
  if (!row.is_object()) return absl::InvalidArgumentError("it is not a JSON object");
  GivenAnswer answer;
  answer.line = text.line;
  if (ReadArenaMessages(row, &answer)) return answer;
  if (!HasString(row, "output")) return NoAnswer(row);
  answer.output = AnswerField(row, "output");
  answer.generator = AnswerField(row, "generator");
  answer.dataset = AnswerField(row, "dataset");
  if (HasString(row, "instruction")) {
    answer.question = AnswerField(row, "instruction");
    const std::string input = AnswerField(row, "input");
    if (!input.empty()) absl::StrAppend(&answer.question, "\n\n", input);
  } else if (HasField(row, "prompt")) {
    answer.question = PromptTextIn(*FieldOf(row, "prompt"));
  }
  if (answer.question.empty()) return NoAnswer(row);
  return answer;
}

absl::StatusOr<AnswerRows> ReadAnswers(const std::string& path, std::vector<std::string>* notes) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RowSource> source, RowSource::Open(path));
  AnswerRows answers;
  answers.path = path;
  std::set<std::string> names;
  while (true) {
    FPO_ASSIGN_OR_RETURN(const std::optional<RowText> text, source->Next());
    if (!text) break;
    absl::StatusOr<GivenAnswer> answer = ReadAnswer(*text);
    if (!answer.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", text->line, ": ", answer.status().message()));
    }
    if (answers.rows.size() == kAnswersMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " holds more than ", kAnswersMax, " answers"));
    }
    names.insert(answer->generator);
    answers.rows.push_back(*std::move(answer));
  }
  if (answers.rows.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " holds no answer"));
  }
  answers.generator = answers.rows.front().generator;
  if (answers.generator.empty()) answers.generator = std::filesystem::path(path).stem().string();
  if (names.size() > 1) {
    notes->push_back(absl::StrCat(path, " holds answers of ", names.size(),
                                  " models; they are judged as those of ", answers.generator));
  }
  return answers;
}

// Finds each question's answer once.
class BaselineAnswers {
 public:
  explicit BaselineAnswers(const AnswerRows& answers) : answers_(answers) {
    for (size_t i = answers.rows.size(); i-- > 0;) {
      places_[answers.rows[i].question].push_back(i);
    }
  }
  // The place of the first row with this question that was not taken yet.
  std::optional<size_t> Take(const std::string& question) {
    const auto found = places_.find(question);
    if (found == places_.end() || found->second.empty()) return std::nullopt;
    const size_t place = found->second.back();
    found->second.pop_back();
    ++taken_;
    return place;
  }
  size_t left() const { return answers_.rows.size() - taken_; }

 private:
  const AnswerRows& answers_;
  std::map<std::string, std::vector<size_t>> places_;  // the next one last
  size_t taken_ = 0;
};

absl::Status NotAsked(const AnswerRows& model, const GivenAnswer& answer,
                      const AnswerRows& baseline) {
  return absl::InvalidArgumentError(absl::StrCat(
      model.path, ":", answer.line, ": ", baseline.path, " has no answer to this question",
      " (or fewer than this file): \"", ShortText(ToValidUtf8(answer.question), 120),
      "\"; both files must answer the same set of questions"));
}

}  // namespace

absl::StatusOr<AnswerPairs> ReadAnswerPairs(const std::string& model_path,
                                            const std::string& baseline_path, int64_t pairs_max) {
  AnswerPairs result;
  FPO_ASSIGN_OR_RETURN(AnswerRows model, ReadAnswers(model_path, &result.notes));
  FPO_ASSIGN_OR_RETURN(AnswerRows baseline, ReadAnswers(baseline_path, &result.notes));
  result.model = model.generator;
  result.baseline = baseline.generator;
  result.baseline_rows = static_cast<int64_t>(baseline.rows.size());
  BaselineAnswers places(baseline);
  for (GivenAnswer& answer : model.rows) {
    if (pairs_max > 0 && static_cast<int64_t>(result.pairs.size()) == pairs_max) return result;
    const std::optional<size_t> place = places.Take(answer.question);
    if (!place) return NotAsked(model, answer, baseline);
    AnswerPair pair;
    pair.index = static_cast<int64_t>(*place);
    pair.question = std::move(answer.question);
    pair.dataset = std::move(answer.dataset);
    pair.model_output = std::move(answer.output);
    pair.baseline_output = std::move(baseline.rows[*place].output);
    result.pairs.push_back(std::move(pair));
  }
  if (places.left() > 0) {
    result.notes.push_back(absl::StrCat(places.left(), " of ", result.baseline_rows,
                                        " questions in ", baseline_path, " have no answer in ",
                                        model_path, "; they count nowhere"));
  }
  return result;
}

}  // namespace fpo::train
