#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "train/rows/preference_dataset.h"
#include "train/rows/row_form.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;
using Kind = PreferenceRow::Kind;

constexpr absl::string_view kHuman = "\n\nHuman:";
constexpr absl::string_view kAssistant = "\n\nAssistant:";

absl::Status Malformed(absl::string_view what) { return absl::InvalidArgumentError(what); }

constexpr absl::string_view kNoField = "no field '";

// A missing field means a row of another form, which its fields describe best.
bool IsMissingField(const absl::Status& status) {
  return absl::StartsWith(status.message(), kNoField);
}

absl::Status NoField(absl::string_view key) { return Malformed(absl::StrCat(kNoField, key, "'")); }

absl::StatusOr<std::string> TakeString(const Json& row, const char* key) {
  const auto it = row.find(key);
  if (it == row.end()) return NoField(key);
  if (!it->is_string()) {
    return Malformed(absl::StrCat("field '", key, "' is ", it->type_name(), ", expected a string"));
  }
  return it->get<std::string>();
}

absl::StatusOr<std::vector<Message>> TakeMessages(const Json& row, const char* key) {
  const auto it = row.find(key);
  if (it == row.end()) return NoField(key);
  if (!it->is_array()) {
    return Malformed(absl::StrCat("field '", key, "' is ", it->type_name(),
                                  ", expected a list of {role, content}"));
  }
  std::vector<Message> messages;
  for (const Json& item : *it) {
    const std::string wrong = WhyNoMessage(item);
    if (!wrong.empty()) {
      return Malformed(absl::StrCat("message ", messages.size(), " of '", key, "' ", wrong));
    }
    std::string role = item["role"].get<std::string>();
    if (role == "model") role = "assistant";
    messages.push_back({std::move(role), item["content"].get<std::string>()});
  }
  return messages;
}

absl::StatusOr<std::vector<int32_t>> TakeIds(const Json& row, const char* key) {
  const auto it = row.find(key);
  if (it == row.end()) return NoField(key);
  if (!it->is_array()) return Malformed(absl::StrCat("field '", key, "' is not a list of ids"));
  std::vector<int32_t> ids;
  for (const Json& item : *it) {
    if (!item.is_number_unsigned() ||
        item.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
      return Malformed(
          absl::StrCat("'", key, "' holds ", item.dump(), ", which is not a token id"));
    }
    ids.push_back(static_cast<int32_t>(item.get<uint64_t>()));
  }
  return ids;
}

bool IsStringAt(const Json& row, const char* key) {
  const auto it = row.find(key);
  return it != row.end() && it->is_string();
}
bool IsListAt(const Json& row, const char* key) {
  const auto it = row.find(key);
  return it != row.end() && it->is_array();
}
bool Has(const Json& row, const char* key) {
  const auto it = row.find(key);
  return it != row.end() && !it->is_null();
}

// "\n\nHuman: a\n\nAssistant: b" as messages. Text before the first mark makes it malformed.
absl::StatusOr<std::vector<Message>> SplitTranscript(absl::string_view text) {
  std::vector<Message> messages;
  while (!text.empty()) {
    const bool human = absl::ConsumePrefix(&text, kHuman);
    if (!human && !absl::ConsumePrefix(&text, kAssistant)) {
      return Malformed("the transcript does not begin with \"\\n\\nHuman:\"");
    }
    const size_t end = std::min({text.find(kHuman), text.find(kAssistant), text.size()});
    messages.push_back({human ? "user" : "assistant", std::string(text.substr(0, end))});
    text.remove_prefix(end);
  }
  return messages;
}

absl::Status ReadStrings(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kStrings;
  FPO_ASSIGN_OR_RETURN(out->prompt, TakeString(row, "prompt"));
  FPO_ASSIGN_OR_RETURN(out->chosen, TakeString(row, "chosen"));
  out->has_rejected = Has(row, "rejected");
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(out->rejected, TakeString(row, "rejected"));
  }
  return absl::OkStatus();
}

// Splits "…
//
// Assistant: answer" after its last "
//
// Assistant:".
absl::StatusOr<size_t> PromptEnd(const std::string& text) {
  const size_t at = absl::string_view(text).rfind(kAssistant);
  if (at == absl::string_view::npos) return Malformed("a transcript without \"\\n\\nAssistant:\"");
  return at + kAssistant.size();
}

absl::Status ReadTranscript(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kTranscript;
  std::string chosen, rejected;
  FPO_ASSIGN_OR_RETURN(chosen, TakeString(row, "chosen"));
  out->has_rejected = Has(row, "rejected");
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(rejected, TakeString(row, "rejected"));
  }
  if (Has(row, "prompt")) {
    FPO_ASSIGN_OR_RETURN(out->prompt, TakeString(row, "prompt"));
    FPO_ASSIGN_OR_RETURN(const size_t end, PromptEnd(out->prompt));
    if (end != out->prompt.size())
      return Malformed("'prompt' does not end with \"\\n\\nAssistant:\"");
    out->chosen = std::move(chosen);
    out->rejected = std::move(rejected);
  } else {
    FPO_ASSIGN_OR_RETURN(const size_t end, PromptEnd(chosen));
    out->prompt = chosen.substr(0, end);
    out->chosen = chosen.substr(end);
    if (out->has_rejected) {
      FPO_ASSIGN_OR_RETURN(const size_t rejected_end, PromptEnd(rejected));
      if (rejected.substr(0, rejected_end) != out->prompt)
        out->pair_drop_reason = "no_shared_prompt";
      out->rejected = rejected.substr(rejected_end);
    }
  }
  FPO_ASSIGN_OR_RETURN(out->prompt_messages, SplitTranscript(out->prompt));
  out->prompt_messages.pop_back();  // the empty turn that the response fills
  out->chosen_messages = {{"assistant", out->chosen}};
  if (out->has_rejected) out->rejected_messages = {{"assistant", out->rejected}};
  return absl::OkStatus();
}

// A response given as a list of messages or as the text of one assistant turn.
absl::StatusOr<std::vector<Message>> TakeResponse(const Json& row, const char* key) {
  if (!IsStringAt(row, key)) return TakeMessages(row, key);
  return std::vector<Message>{{"assistant", row[key].get<std::string>()}};
}

// Moves the longest common run of leading messages into the prompt; both sides keep at least one.
void SplitCommonHead(PreferenceRow* row) {
  auto& chosen = row->chosen_messages;
  auto& rejected = row->rejected_messages;
  size_t common = 0;
  while (common + 1 < chosen.size() && common + 1 < rejected.size() &&
         chosen[common] == rejected[common]) {
    ++common;
  }
  const auto end = chosen.begin() + static_cast<std::ptrdiff_t>(common);
  row->prompt_messages.assign(chosen.begin(), end);
  chosen.erase(chosen.begin(), end);
  rejected.erase(rejected.begin(), rejected.begin() + static_cast<std::ptrdiff_t>(common));
  if (common == 0) row->pair_drop_reason = "no_shared_prompt";
}

// A side may repeat the prompt it answers.
void StripPrompt(const std::vector<Message>& prompt, std::vector<Message>* side) {
  if (side->size() > prompt.size() && std::equal(prompt.begin(), prompt.end(), side->begin())) {
    side->erase(side->begin(), side->begin() + static_cast<std::ptrdiff_t>(prompt.size()));
  }
}

absl::Status ReadMessages(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kMessages;
  if (IsListAt(row, "messages") && !Has(row, "chosen")) {
    FPO_ASSIGN_OR_RETURN(out->chosen_messages, TakeMessages(row, "messages"));
    return absl::OkStatus();
  }
  FPO_ASSIGN_OR_RETURN(out->chosen_messages, TakeResponse(row, "chosen"));
  out->has_rejected = Has(row, "rejected");
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(out->rejected_messages, TakeResponse(row, "rejected"));
  }
  if (IsListAt(row, "prompt")) {
    FPO_ASSIGN_OR_RETURN(out->prompt_messages, TakeMessages(row, "prompt"));
    StripPrompt(out->prompt_messages, &out->chosen_messages);
    StripPrompt(out->prompt_messages, &out->rejected_messages);
  } else if (out->has_rejected) {
    SplitCommonHead(out);
  }
  return absl::OkStatus();
}

absl::Status ReadIds(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kIds;
  FPO_ASSIGN_OR_RETURN(out->prompt_ids, TakeIds(row, "prompt_ids"));
  const bool response = !Has(row, "chosen_ids") && Has(row, "response_ids");
  FPO_ASSIGN_OR_RETURN(out->chosen_ids, TakeIds(row, response ? "response_ids" : "chosen_ids"));
  out->has_rejected = Has(row, "rejected_ids");
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(out->rejected_ids, TakeIds(row, "rejected_ids"));
  }
  return absl::OkStatus();
}

absl::Status ReadText(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kText;
  FPO_ASSIGN_OR_RETURN(out->chosen, TakeString(row, "text"));
  return absl::OkStatus();
}

std::string FormatOf(const Json& row) {
  if (Has(row, "prompt_ids")) return "ids";
  if (IsListAt(row, "chosen") || IsListAt(row, "messages") || IsListAt(row, "prompt")) {
    return "messages";
  }
  if (Has(row, "text") && !Has(row, "chosen")) return "text";
  const char* first = Has(row, "prompt") ? "prompt" : "chosen";
  if (IsStringAt(row, first) &&
      absl::StartsWith(row[first].get_ref<const std::string&>(), kHuman)) {
    return "transcript";
  }
  return "preference";
}

absl::Status ReadFields(const Json& row, const std::string& format, PreferenceRow* out) {
  if (format == "ids") return ReadIds(row, out);
  if (format == "text") return ReadText(row, out);
  if (format == "transcript") return ReadTranscript(row, out);
  if (format == "messages") return ReadMessages(row, out);
  // Strings without a prompt mean message lists with a common head.
  if (format == "preference" && IsListAt(row, "chosen")) return ReadMessages(row, out);
  if (format == "preference") return ReadStrings(row, out);
  return absl::InvalidArgumentError(absl::StrCat(
      "data.format ", format, " is none of auto, preference, messages, transcript, ids"));
}

std::optional<double> Score(const Json& row, const char* key, const char* other) {
  for (const char* name : {key, other}) {
    const auto it = row.find(name);
    if (it != row.end() && it->is_number()) return it->get<double>();
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<PreferenceRow> ParsePreferenceRow(absl::string_view json,
                                                 const std::string& format) {
  const Json row = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (row.is_discarded()) return Malformed(WhyNoJson(json));
  if (!row.is_object()) {
    return Malformed(absl::StrCat("a row must be a JSON object, this is ", row.type_name()));
  }
  PreferenceRow out;
  const absl::Status read = ReadFields(row, format == "auto" ? FormatOf(row) : format, &out);
  if (IsMissingField(read)) {
    return Malformed(absl::StrCat(read.message(), "; ", DescribeRow(row)));
  }
  FPO_RETURN_IF_ERROR(read);
  if (Has(row, "id"))
    out.id = IsStringAt(row, "id") ? row["id"].get<std::string>() : row["id"].dump();
  out.chosen_score = Score(row, "score_chosen", "chosen_score");
  out.rejected_score = Score(row, "score_rejected", "rejected_score");
  return out;
}

}  // namespace fpo::train
