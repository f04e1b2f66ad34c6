#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "train/rows/column_map.h"
#include "train/rows/preference_dataset.h"
#include "train/rows/row_fields.h"
#include "train/rows/row_form.h"
#include "train/rows/row_json.h"
#include "train/rows/row_readers.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;
using Kind = PreferenceRow::Kind;

bool HoldsMessages(const Json& row, const char* key) {
  return HasList(row, key) || HasObject(row, key);
}

bool HasResponses(const Json& row) {
  return !FirstField(row, {"chosen", "chosen_conversations", "rejected", "rejected_conversations"})
              .empty();
}

bool HasResponse(const Json& row) {
  return !FirstField(row, {"chosen", "chosen_response", "response_j", "completion", "output",
                           "response", "answer"})
              .empty();
}

// One form of rows: which rows have it, which words of data.format take it, and its reader.
struct RowForm {
  bool (*fits)(const Json& row);
  const char* formats;
  absl::Status (*read)(const Json& row, PreferenceRow* out);
};

bool IsRanked(const Json& row) {
  const Json* list = FieldOf(row, "completions");
  const bool ranked = list != nullptr && list->is_array();
  return ranked && (list->empty() || (*list)[0].is_object()) && !HasResponses(row);
}
bool IsUltraChat(const Json& row) {
  const Json* list = FieldOf(row, "data");
  const bool texts = list != nullptr && list->is_array() && !list->empty();
  return texts && (*list)[0].is_string() && !HasResponse(row);
}
bool HasConversation(const Json& row) {
  return HasList(row, "messages") || HasList(row, "conversations") || HasList(row, "conversation");
}
bool IsConversation(const Json& row) { return HasConversation(row) && !HasResponses(row); }
bool IsMessages(const Json& row) {
  for (const char* key : {"chosen", "rejected", "chosen_conversations", "rejected_conversations",
                          "chosen_response", "completion", "prompt"}) {
    if (HoldsMessages(row, key)) return true;
  }
  // Responses as texts beside the list that asks for them.
  return HasResponses(row) && HasConversation(row) && !HasString(row, "prompt");
}
bool IsStrings(const Json& row) { return HasString(row, "prompt") && HasResponse(row); }
bool IsInstruction(const Json& row) {
  const std::optional<PromptText> prompt = PromptTextOf(row);
  return prompt && prompt->is_turn && HasResponse(row);
}
bool IsImplicitPrompt(const Json& row) {
  return HasString(row, "chosen") && HasString(row, "rejected") && !HasField(row, "prompt");
}

// The first that fits counts.
constexpr RowForm kForms[] = {
    {[](const Json& row) { return HasField(row, "prompt_ids"); }, "ids", ReadIds},
    {[](const Json& row) { return IsChoice(row) && !HasResponses(row); }, "preference messages",
     ReadChoice},
    {[](const Json& row) { return HasField(row, "preferred_output"); }, "messages", ReadOpenAi},
    {IsRanked, "preference messages", ReadRanked},
    {IsConversation, "messages", ReadConversation},
    {IsUltraChat, "messages", ReadUltraChat},
    {IsMessages, "preference messages", ReadMessageRow},
    {IsTranscript, "transcript", ReadTranscript},
    {IsStrings, "preference", ReadStrings},
    {IsInstruction, "preference messages", ReadInstruction},
    {IsImplicitPrompt, "preference", ReadImplicitPrompt},
    {[](const Json& row) { return HasField(row, "text"); }, "text", ReadPlainText},
};

// Reads the row, or says what it lacks.
absl::Status Read(const Json& row, const std::string& format, PreferenceRow* out) {
  static const std::set<std::string> formats = {"auto", "preference", "messages", "transcript",
                                                "ids"};
  if (formats.count(format) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "data.format ", format, " is none of auto, preference, messages, transcript, ids"));
  }
  for (const RowForm& form : kForms) {
    if (format != "auto" && !absl::StrContains(form.formats, format)) continue;
    if (form.fits(row)) return form.read(row, out);
  }
  if (format == "ids") return ReadIds(row, out);
  if (format == "transcript") return ReadTranscript(row, out);
  if (format == "messages") return ReadMessageRow(row, out);
  return ReadStrings(row, out);
}

// The text of the row's system message; "" when it has none.
std::string SystemText(const Json& row) {
  for (const char* key : {"system", "system_prompt"}) {
    if (HasString(row, key)) return row[key].get<std::string>();
  }
  return "";
}

// Alpaca's earlier turns: [[question, answer], ...].
absl::Status TakeHistory(const Json& row, std::vector<Message>* messages) {
  if (!HasList(row, "history")) return absl::OkStatus();
  for (const Json& turn : row["history"]) {
    if (!turn.is_array() || turn.size() != 2 || !turn[0].is_string() || !turn[1].is_string()) {
      return absl::InvalidArgumentError("'history' is not a list of [question, answer]");
    }
    messages->push_back({"user", turn[0].get<std::string>()});
    messages->push_back({"assistant", turn[1].get<std::string>()});
  }
  return absl::OkStatus();
}

// Puts the row's system message and earlier turns in front of its messages.
absl::Status TakeContext(const Json& row, PreferenceRow* out) {
  if (out->kind == Kind::kIds || out->kind == Kind::kText) return absl::OkStatus();
  std::vector<Message> context;
  const std::string system = SystemText(row);
  if (!system.empty()) context.push_back({"system", system});
  FPO_RETURN_IF_ERROR(TakeHistory(row, &context));
  if (context.empty()) return absl::OkStatus();
  if (out->kind == Kind::kStrings) {
    out->kind = Kind::kMessages;
    out->prompt_messages = {{"user", std::move(out->prompt)}};
    out->chosen_messages = {{"assistant", std::move(out->chosen)}};
    if (out->has_rejected) out->rejected_messages = {{"assistant", std::move(out->rejected)}};
  }
  const bool conversation = out->prompt_messages.empty() && !out->has_rejected;
  std::vector<Message>& front = conversation ? out->chosen_messages : out->prompt_messages;
  const bool has_system = !front.empty() && front.front().role == "system";
  if (has_system) return absl::OkStatus();
  front.insert(front.begin(), context.begin(), context.end());
  return absl::OkStatus();
}

bool IsNonEmpty(const Json* field) {
  if (field == nullptr) return false;
  if (field->is_string()) return *field != "" && *field != "[]";
  return !field->empty();
}

std::optional<bool> LabelOfWord(absl::string_view word) {
  for (const char* bad : {"false", "0", "bad", "undesirable", "rejected", "thumbs_down"}) {
    if (word == bad) return false;
  }
  for (const char* good : {"true", "1", "good", "desirable", "chosen", "thumbs_up"}) {
    if (word == good) return true;
  }
  return std::nullopt;
}

// What a label says of the only response (KTO). Tables and spreadsheets turn booleans into texts
// and numbers; any other label is a column of something else.
std::optional<bool> LabelOf(const Json& row) {
  for (const char* key : {"label", "kto_tag"}) {
    const Json* label = FieldOf(row, key);
    if (label == nullptr) continue;
    if (label->is_boolean()) return label->get<bool>();
    if (label->is_number() && HasField(row, "completion")) return label->get<double>() > 0;
    if (!label->is_string()) continue;
    const auto said = LabelOfWord(absl::AsciiStrToLower(label->get<std::string>()));
    if (said) return said;
  }
  return std::nullopt;
}

// What a row needs that text cannot give.
std::string WhyUnusable(const Json& row, const PreferenceRow& read) {
  for (const char* key : {"images", "image", "videos"}) {
    if (IsNonEmpty(FieldOf(row, key))) return "images_unsupported";
  }
  if (IsNonEmpty(FieldOf(row, "audios"))) return "audio_unsupported";
  for (const char* key : {"tools", "functions"}) {
    if (IsNonEmpty(FieldOf(row, key))) return "tool_calls_unsupported";
  }
  return read.label == false ? "unwanted_response" : "";
}

std::optional<double> ScoreOf(const Json& row, const std::vector<const char*>& keys) {
  for (const char* key : keys) {
    if (const std::optional<double> score = NumberOf(row, key)) return score;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<PreferenceRow> ParsePreferenceRow(absl::string_view json,
                                                 const std::string& format) {
  return ParsePreferenceRow(json, RowFormat{format, {}}, nullptr);
}

absl::StatusOr<PreferenceRow> ParsePreferenceRow(absl::string_view json, const RowFormat& format,
                                                 size_t* bad) {
  size_t unused = 0;
  FPO_ASSIGN_OR_RETURN(Json row, ParseRowJson(json, bad == nullptr ? &unused : bad));
  if (!row.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a row must be a JSON object, this is ", row.type_name()));
  }
  FPO_RETURN_IF_ERROR(RenameColumns(format.columns, &row));
  PreferenceRow out;
  const absl::Status read = Read(row, format.name, &out);
  if (IsMissingField(read)) {
    return absl::InvalidArgumentError(absl::StrCat(read.message(), "; ", DescribeRow(row)));
  }
  FPO_RETURN_IF_ERROR(read);
  FPO_RETURN_IF_ERROR(TakeContext(row, &out));
  if (!out.has_rejected) out.label = LabelOf(row);
  std::string unusable = WhyUnusable(row, out);
  if (out.drop_reason.empty()) out.drop_reason = std::move(unusable);
  if (const Json* id = FieldOf(row, "id")) {
    out.id = id->is_string() ? id->get<std::string>() : id->dump();
  }
  if (!out.chosen_score) {
    out.chosen_score =
        ScoreOf(row, {"score_chosen", "chosen_score", "chosen_rating", "rating_chosen"});
    out.rejected_score =
        ScoreOf(row, {"score_rejected", "rejected_score", "rejected_rating", "rating_rejected"});
  }
  return out;
}

}  // namespace fpo::train
