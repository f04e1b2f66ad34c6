#include "train/generate/answer_rows.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

Json Parsed(const PromptRow& prompt) {
  return Json::parse(prompt.json, nullptr, /*allow_exceptions=*/false);
}

void Copy(const Json& from, const char* key, Json* to) {
  const auto it = from.find(key);
  if (it != from.end() && !it->is_null()) (*to)[key] = *it;
}

std::string AnswerId(const PromptRow& prompt, const AnswerNames& names) {
  return ToHex(Sha256Of(absl::StrCat(names.settings, "/", prompt.index))).substr(0, 22);
}

// The row's name for itself: uid, or question_id.
const char* IdKey(const Json& row) { return row.contains("uid") ? "uid" : "question_id"; }

Json Alpaca(const Json& source, const AnswerTurns& turns, const AnswerNames& names) {
  Json row;
  for (const char* key : {"dataset", "instruction", "input"}) Copy(source, key, &row);
  row["output"] = turns.texts.front();
  row["generator"] = names.generator;
  return row;
}

Json Arena(const PromptRow& prompt, const Json& source, const AnswerTurns& turns,
           const AnswerNames& names) {
  Json row;
  Copy(source, IdKey(source), &row);
  row["ans_id"] = AnswerId(prompt, names);
  row["model"] = names.generator;
  row["messages"] =
      Json::array({{{"role", "user"}, {"content", prompt.messages.back().content}},
                   {{"role", "assistant"}, {"content", {{"answer", turns.texts.front()}}}}});
  row["tstamp"] = names.unix_seconds;
  return row;
}

Json MtBench(const PromptRow& prompt, const Json& source, const AnswerTurns& turns,
             const AnswerNames& names) {
  Json row;
  Copy(source, "question_id", &row);
  row["answer_id"] = AnswerId(prompt, names);
  row["model_id"] = names.generator;
  row["choices"] = Json::array({{{"index", 0}, {"turns", turns.texts}}});
  row["tstamp"] = names.unix_seconds;
  return row;
}

Json Plain(const PromptRow& prompt, const Json& source, const AnswerTurns& turns,
           const AnswerNames& names) {
  Json row;
  row["index"] = prompt.index;
  Copy(source, "id", &row);
  for (const char* key : {"prompt_ids", "prompt", "messages"}) {
    if (!source.contains(key)) continue;
    row[key == std::string("messages") ? "prompt" : key] = source[key];
    break;
  }
  if (!row.contains("prompt") && !row.contains("prompt_ids")) {
    row["prompt"] = prompt.kind == PromptRow::Kind::kText ? Json(prompt.text)
                                                          : Json(prompt.messages.back().content);
  }
  row["output"] = turns.texts.front();
  if (prompt.kind == PromptRow::Kind::kIds) row["output_ids"] = turns.ids.front();
  row["generator"] = names.generator;
  row["tokens"] = turns.ids.front().size();
  row["finish_reason"] = turns.stopped ? "stop" : "length";
  return row;
}

std::string KeyIn(const Json& row, PromptFormat format) {
  const auto text = [&](const char* key) {
    const auto it = row.find(key);
    return it == row.end() ? std::string() : it->dump();
  };
  switch (format) {
    case PromptFormat::kAlpacaEval:
      return row.contains("instruction") ? absl::StrCat(text("instruction"), text("input")) : "";
    case PromptFormat::kArenaHard:
      return text(IdKey(row));
    case PromptFormat::kMtBench:
      return text("question_id");
    case PromptFormat::kJsonl:
      break;
  }
  return text("index");
}

}  // namespace

std::string AnswerRow(const PromptRow& prompt, const AnswerTurns& turns, const AnswerNames& names) {
  const Json source = Parsed(prompt);
  Json row;
  switch (names.format) {
    case PromptFormat::kAlpacaEval:
      row = Alpaca(source, turns, names);
      break;
    case PromptFormat::kArenaHard:
      row = Arena(prompt, source, turns, names);
      break;
    case PromptFormat::kMtBench:
      row = MtBench(prompt, source, turns, names);
      break;
    case PromptFormat::kJsonl:
      row = Plain(prompt, source, turns, names);
      break;
  }
  return row.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string KeyOfPrompt(const PromptRow& prompt, PromptFormat format) {
  if (format == PromptFormat::kJsonl) return absl::StrCat(prompt.index);
  return KeyIn(Parsed(prompt), format);
}

absl::StatusOr<std::string> KeyOfAnswer(absl::string_view row, PromptFormat format) {
  const Json json = Json::parse(row.begin(), row.end(), nullptr, /*allow_exceptions=*/false);
  std::string key = json.is_object() ? KeyIn(json, format) : "";
  if (!key.empty()) return key;
  return absl::InvalidArgumentError("it is no answer of this format");
}

}  // namespace fpo::train
