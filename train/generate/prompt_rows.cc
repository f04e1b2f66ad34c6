#include "train/generate/prompt_rows.h"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/rows/message_json.h"
#include "train/rows/preference_dataset.h"
#include "train/rows/row_fields.h"
#include "train/rows/row_form.h"
#include "train/rows/row_json.h"
#include "train/rows/row_source.h"

namespace fpo::train {
namespace {

using RowJson = nlohmann::json;
using Kind = PromptRow::Kind;

constexpr int64_t kRowsMax = 10'000'000;

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

// A user's question behind an optional system message.
void Ask(const RowJson& row, std::string question, PromptRow* out) {
  out->kind = Kind::kMessages;
  if (HasString(row, "system")) {
    out->messages.push_back({"system", row.at("system").get<std::string>()});
  }
  out->messages.push_back({"user", std::move(question)});
}

absl::Status ReadMessages(const RowJson& row, absl::string_view key, PromptRow* out) {
  FPO_ASSIGN_OR_RETURN(MessageList list, MessagesOf(*FieldOf(row, key), key));
  if (!list.drop_reason.empty()) {
    return Wrong(absl::StrCat("its messages cannot be used: ", list.drop_reason));
  }
  out->kind = Kind::kMessages;
  out->messages = std::move(list.messages);
  return absl::OkStatus();
}

absl::Status ReadAlpaca(const RowJson& row, PromptRow* out) {
  if (!HasString(row, "instruction")) {
    return Wrong(absl::StrCat(DescribeRow(row), "; alpaca_eval needs \"instruction\""));
  }
  std::string question = row.at("instruction").get<std::string>();
  if (HasString(row, "input") && !row.at("input").get<std::string>().empty()) {
    absl::StrAppend(&question, "\n\n", row.at("input").get<std::string>());
  }
  Ask(row, std::move(question), out);
  return absl::OkStatus();
}

// Texts of mt_bench's and arena_hard's "turns": texts, or objects with "content".
absl::StatusOr<std::vector<std::string>> TurnsOf(const RowJson& row) {
  std::vector<std::string> turns;
  for (const RowJson& turn : row.at("turns")) {
    const RowJson text = turn.is_object() ? turn.value("content", RowJson()) : turn;
    if (!text.is_string()) return Wrong("\"turns\" holds something else than questions");
    turns.push_back(text.get<std::string>());
  }
  if (turns.empty()) return Wrong("\"turns\" is empty");
  return turns;
}

absl::Status ReadArena(const RowJson& row, PromptRow* out) {
  if (!HasField(row, "uid") && !HasField(row, "question_id")) {
    return Wrong(absl::StrCat(DescribeRow(row), "; arena_hard needs \"uid\" or \"question_id\""));
  }
  if (HasString(row, "prompt")) {
    Ask(row, row.at("prompt").get<std::string>(), out);
    return absl::OkStatus();
  }
  if (!HasList(row, "turns")) {
    return Wrong(absl::StrCat(DescribeRow(row), "; arena_hard needs \"prompt\""));
  }
  FPO_ASSIGN_OR_RETURN(std::vector<std::string> turns, TurnsOf(row));
  if (turns.size() > 1) return Wrong("it has several turns; arena_hard asks one question");
  Ask(row, std::move(turns[0]), out);
  return absl::OkStatus();
}

absl::Status ReadMtBench(const RowJson& row, PromptRow* out) {
  if (!HasField(row, "question_id") || !HasList(row, "turns")) {
    return Wrong(absl::StrCat(DescribeRow(row), "; mt_bench needs \"question_id\" and \"turns\""));
  }
  FPO_ASSIGN_OR_RETURN(std::vector<std::string> turns, TurnsOf(row));
  Ask(row, std::move(turns[0]), out);
  out->next_questions.assign(std::make_move_iterator(turns.begin() + 1),
                             std::make_move_iterator(turns.end()));
  return absl::OkStatus();
}

// The prompt of a row of preference data in another form.
absl::Status ReadPreference(const RowJson& row, PromptRow* out) {
  size_t bad = 0;
  absl::StatusOr<PreferenceRow> read = ParsePreferenceRow(out->json, RowFormat{}, &bad);
  const bool has_prompt = read.ok() && read->drop_reason.empty() &&
                          (!read->prompt_messages.empty() || !read->prompt.empty());
  if (!has_prompt) {
    return Wrong(absl::StrCat(DescribeRow(row),
                              "; a prompt is \"prompt\" (a text or messages), \"messages\", "
                              "\"instruction\" or \"prompt_ids\""));
  }
  if (!read->prompt_messages.empty()) {
    out->kind = Kind::kMessages;
    out->messages = std::move(read->prompt_messages);
  } else {
    out->text = std::move(read->prompt);
  }
  return absl::OkStatus();
}

absl::Status ReadAny(const RowJson& row, PromptRow* out) {
  if (HasList(row, "prompt_ids")) {
    out->kind = Kind::kIds;
    FPO_ASSIGN_OR_RETURN(out->ids, TakeIds(row, "prompt_ids"));
    return out->ids.empty() ? Wrong("\"prompt_ids\" is empty") : absl::OkStatus();
  }
  for (const char* key : {"prompt", "messages", "conversations"}) {
    if (HasList(row, key)) return ReadMessages(row, key, out);
  }
  if (HasString(row, "prompt")) {
    if (HasString(row, "system")) {
      Ask(row, row.at("prompt").get<std::string>(), out);
    } else {
      out->text = row.at("prompt").get<std::string>();
    }
    return absl::OkStatus();
  }
  if (std::optional<PromptText> prompt = PromptTextOf(row)) {
    Ask(row, std::move(prompt->text), out);
    return absl::OkStatus();
  }
  return ReadPreference(row, out);
}

absl::Status ReadRow(PromptFormat format, const RowText& text, PromptRow* out) {
  size_t bad = text.text.size();
  const absl::StatusOr<RowJson> row = ParseRowJson(text.text, &bad);
  if (!row.ok()) return Wrong(WhyNoJson(text.text, row.status().message()));
  if (!row->is_object()) return Wrong("it is not a JSON object");
  out->json = text.text;
  switch (format) {
    case PromptFormat::kAlpacaEval:
      return ReadAlpaca(*row, out);
    case PromptFormat::kArenaHard:
      return ReadArena(*row, out);
    case PromptFormat::kMtBench:
      return ReadMtBench(*row, out);
    case PromptFormat::kJsonl:
      break;
  }
  return ReadAny(*row, out);
}

// Conversations of training data end with the answer. True: it was left out.
absl::StatusOr<bool> EndWithQuestion(PromptRow* row) {
  if (row->kind != Kind::kMessages) return false;
  const bool answered = !row->messages.empty() && row->messages.back().role == "assistant";
  if (answered) row->messages.pop_back();
  if (row->messages.empty() || row->messages.back().role != "user") {
    return Wrong("its messages do not end with a question of the user");
  }
  return answered;
}

}  // namespace

absl::StatusOr<PromptFormat> ParsePromptFormat(const std::string& name) {
  if (name == "alpaca_eval") return PromptFormat::kAlpacaEval;
  if (name == "arena_hard") return PromptFormat::kArenaHard;
  if (name == "mt_bench") return PromptFormat::kMtBench;
  if (name == "jsonl") return PromptFormat::kJsonl;
  return Wrong(
      absl::StrCat("format ", name, " is not one of alpaca_eval, arena_hard, mt_bench, jsonl"));
}

absl::StatusOr<PromptFile> ReadPromptFile(const std::string& path, PromptFormat format,
                                          int64_t rows_max) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RowSource> source, RowSource::Open(path));
  const std::string name = std::filesystem::path(path).filename().string();
  const int64_t limit = rows_max > 0 ? rows_max : kRowsMax;
  PromptFile file;
  int64_t answered = 0;
  while (static_cast<int64_t>(file.rows.size()) < limit) {
    FPO_ASSIGN_OR_RETURN(const std::optional<RowText> text, source->Next());
    if (!text) break;
    PromptRow row;
    row.index = static_cast<int64_t>(file.rows.size());
    row.where = absl::StrCat(name, ":", text->line);
    absl::Status status = ReadRow(format, *text, &row);
    absl::StatusOr<bool> ends = status.ok() ? EndWithQuestion(&row) : false;
    if (status.ok()) status = ends.status();
    if (!status.ok()) return Wrong(absl::StrCat(path, ":", text->line, ": ", status.message()));
    answered += *ends ? 1 : 0;
    file.rows.push_back(std::move(row));
  }
  if (file.rows.empty()) return Wrong(absl::StrCat(path, " holds no prompt"));
  if (rows_max == 0 && static_cast<int64_t>(file.rows.size()) == kRowsMax) {
    return Wrong(absl::StrCat(path, " holds more than ", kRowsMax, " prompts"));
  }
  if (answered > 0) {
    file.notes.push_back(absl::StrCat(answered, " of ", file.rows.size(), " prompts in ", path,
                                      " end with an answer of the assistant, which is left out"));
  }
  return file;
}

}  // namespace fpo::train
