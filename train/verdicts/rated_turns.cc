#include "train/verdicts/rated_turns.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/rows/row_fields.h"
#include "train/rows/row_json.h"
#include "train/rows/row_source.h"

namespace fpo::train {
namespace {

using TurnJson = nlohmann::json;

constexpr size_t kQuestionsMax = 100'000;

// A question, or somebody's answers to it.
struct TurnsRow {
  std::string id;
  std::string category;
  std::string model;
  std::vector<std::string> turns;
};

absl::Status NoTurns(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("it has no ", what, ", a list of texts as in FastChat's files"));
}

absl::StatusOr<std::vector<std::string>> TextsIn(const TurnJson& row, absl::string_view what) {
  if (!HasList(row, "turns") || FieldOf(row, "turns")->empty()) return NoTurns(what);
  std::vector<std::string> texts;
  for (const TurnJson& turn : *FieldOf(row, "turns")) {
    if (!turn.is_string()) return NoTurns(what);
    texts.push_back(turn.get<std::string>());
  }
  return texts;
}

absl::StatusOr<TurnsRow> ReadTurnsRow(const TurnJson& row) {
  TurnsRow read;
  const TurnJson* id = FieldOf(row, "question_id");
  if (id == nullptr || !(id->is_string() || id->is_number_integer())) {
    return absl::InvalidArgumentError("it has no \"question_id\", a text or a whole number");
  }
  read.id = id->is_string() ? id->get<std::string>() : id->dump();
  if (HasString(row, "category")) read.category = FieldOf(row, "category")->get<std::string>();
  if (HasString(row, "model_id")) read.model = FieldOf(row, "model_id")->get<std::string>();
  if (!HasField(row, "choices")) {
    FPO_ASSIGN_OR_RETURN(read.turns, TextsIn(row, "\"turns\""));
    return read;
  }
  const TurnJson* choices = FieldOf(row, "choices");
  if (!choices->is_array() || choices->empty() || !choices->front().is_object()) {
    return NoTurns("\"choices\" with \"turns\"");
  }
  FPO_ASSIGN_OR_RETURN(read.turns, TextsIn(choices->front(), "\"turns\" in \"choices\""));
  return read;
}

absl::StatusOr<std::vector<TurnsRow>> ReadTurnsFile(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RowSource> source, RowSource::Open(path));
  std::vector<TurnsRow> rows;
  std::set<std::string> ids;
  while (true) {
    FPO_ASSIGN_OR_RETURN(const std::optional<RowText> text, source->Next());
    if (!text) break;
    const auto wrong = [&](absl::string_view why) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", text->line, ": ", why));
    };
    size_t bad = 0;
    const absl::StatusOr<TurnJson> json = ParseRowJson(text->text, &bad);
    if (!json.ok()) return wrong(json.status().message());
    if (!json->is_object()) return wrong("it is not a JSON object");
    absl::StatusOr<TurnsRow> row = ReadTurnsRow(*json);
    if (!row.ok()) return wrong(row.status().message());
    if (!ids.insert(row->id).second) return wrong(absl::StrCat("question ", row->id, " again"));
    if (rows.size() == kQuestionsMax) {
      return wrong(absl::StrCat("more than ", kQuestionsMax, " questions"));
    }
    rows.push_back(*std::move(row));
  }
  if (rows.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " holds no row"));
  return rows;
}

using TurnsById = std::map<std::string, TurnsRow>;

// Of a file whose rows answer questions.
absl::StatusOr<TurnsById> ReadAnswersTo(const std::vector<TurnsRow>& questions,
                                        const std::string& path) {
  TurnsById answers;
  if (path.empty()) return answers;
  std::map<std::string, size_t> turns;
  for (const TurnsRow& question : questions) turns[question.id] = question.turns.size();
  FPO_ASSIGN_OR_RETURN(std::vector<TurnsRow> rows, ReadTurnsFile(path));
  for (TurnsRow& row : rows) {
    const auto asked = turns.find(row.id);
    if (asked == turns.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": question ", row.id, " is none of the questions' file"));
    }
    if (row.turns.size() < asked->second) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": question ", row.id, " has ",
                                                     asked->second, " turns and ", row.turns.size(),
                                                     " answers"));
    }
    answers.emplace(row.id, std::move(row));
  }
  return answers;
}

// MT-Bench's judges read a reference answer there.
bool MtBenchHasReference(const std::string& category) {
  return category == "math" || category == "reasoning" || category == "coding";
}

std::vector<std::string> FirstOf(const std::vector<std::string>& texts, size_t count) {
  return {texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(count)};
}

void AddTurns(const TurnsRow& question, const TurnsRow& answer, const TurnsRow* reference,
              std::vector<RatedTurn>* turns) {
  for (size_t turn = 1; turn <= question.turns.size(); ++turn) {
    RatedTurn& rated = turns->emplace_back();
    rated.question = question.id;
    rated.category = question.category;
    rated.turn = static_cast<int>(turn);
    rated.questions = FirstOf(question.turns, turn);
    rated.answers = FirstOf(answer.turns, turn);
    if (reference != nullptr) rated.references = FirstOf(reference->turns, turn);
  }
}

}  // namespace

absl::StatusOr<RatedTurns> ReadRatedTurns(const RatedFiles& files, int64_t questions_max) {
  FPO_ASSIGN_OR_RETURN(const std::vector<TurnsRow> questions, ReadTurnsFile(files.questions));
  for (const TurnsRow& question : questions) {
    if (question.turns.size() <= 2) continue;
    return absl::InvalidArgumentError(absl::StrCat(files.questions, ": question ", question.id,
                                                   " has ", question.turns.size(),
                                                   " turns; one or two are rated"));
  }
  FPO_ASSIGN_OR_RETURN(const TurnsById answers, ReadAnswersTo(questions, files.answers));
  FPO_ASSIGN_OR_RETURN(const TurnsById references, ReadAnswersTo(questions, files.references));
  RatedTurns result;
  result.model = answers.begin()->second.model;
  if (result.model.empty()) result.model = std::filesystem::path(files.answers).stem().string();
  int64_t rated = 0, unanswered = 0, alone = 0;
  for (const TurnsRow& question : questions) {
    if (questions_max > 0 && rated == questions_max) break;
    const auto answer = answers.find(question.id);
    unanswered += answer == answers.end() ? 1 : 0;
    if (answer == answers.end()) continue;
    ++rated;
    const auto reference = references.find(question.id);
    const bool has_reference = reference != references.end();
    alone += !has_reference && MtBenchHasReference(question.category) ? 1 : 0;
    AddTurns(question, answer->second, has_reference ? &reference->second : nullptr, &result.turns);
  }
  if (unanswered > 0) {
    result.notes.push_back(absl::StrCat(unanswered, " of ", questions.size(), " questions in ",
                                        files.questions, " have no answer in ", files.answers,
                                        "; they count nowhere"));
  }
  if (alone > 0) {
    result.notes.push_back(absl::StrCat(
        alone,
        " questions of math, reasoning and coding have no reference answer, which MT-Bench's "
        "judges read there: these ratings are not comparable with its own"));
  }
  return result;
}

}  // namespace fpo::train
