#include <algorithm>
#include <utility>

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
using Messages = std::vector<Message>;

// The messages of a field; the first reason to drop them is kept in the row.
absl::StatusOr<Messages> Take(const Json& holder, absl::string_view key, PreferenceRow* out) {
  const Json* field = FieldOf(holder, key);
  if (field == nullptr) return NoField(key);
  FPO_ASSIGN_OR_RETURN(MessageList list, MessagesOf(*field, key));
  if (out->drop_reason.empty()) out->drop_reason = list.drop_reason;
  return std::move(list.messages);
}

bool IsAnswer(const Messages& messages) {
  return !messages.empty() && messages.front().role == "assistant";
}

// Moves the longest common run of leading messages into the prompt; both sides keep at least one.
void SplitCommonHead(PreferenceRow* row) {
  Messages& chosen = row->chosen_messages;
  Messages& rejected = row->rejected_messages;
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
void StripPrompt(const Messages& prompt, Messages* side) {
  if (side->size() > prompt.size() && std::equal(prompt.begin(), prompt.end(), side->begin())) {
    side->erase(side->begin(), side->begin() + static_cast<std::ptrdiff_t>(prompt.size()));
  }
}

// The list that holds the prompt beside responses; "" when there is none.
std::string PromptList(const Json& row) {
  if (HasObject(row, "prompt")) return "prompt";  // one message
  for (const char* key : {"prompt", "messages", "conversations", "conversation", "context"}) {
    if (HasList(row, key)) return key;
  }
  return "";
}

// Finds the prompt of the responses that `out` has.
absl::Status TakePrompt(const Json& row, PreferenceRow* out) {
  const bool answers =
      IsAnswer(out->chosen_messages) && (!out->has_rejected || IsAnswer(out->rejected_messages));
  const std::string list = PromptList(row);
  const std::optional<PromptText> text = PromptTextOf(row);
  const bool said = text && !text->is_turn;  // prompt is a text: a list beside it repeats it
  if (list == "prompt" || (answers && !list.empty() && !said)) {
    FPO_ASSIGN_OR_RETURN(out->prompt_messages, Take(row, list, out));
    StripPrompt(out->prompt_messages, &out->chosen_messages);
    StripPrompt(out->prompt_messages, &out->rejected_messages);
    return absl::OkStatus();
  }
  if (answers && text) {
    out->prompt_messages = {{"user", text->text}};
  } else if (out->has_rejected) {
    SplitCommonHead(out);  // whole conversations; a prompt beside them repeats their first message
  }
  return absl::OkStatus();
}

// ms-swift: the last message is the chosen response, and the other one stands beside the list.
absl::Status ReadBeside(const Json& row, absl::string_view list, PreferenceRow* out) {
  const std::string rejected = FirstField(row, {"rejected_response", "rejected"});
  FPO_ASSIGN_OR_RETURN(out->prompt_messages, Take(row, list, out));
  out->has_rejected = !rejected.empty();
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(out->rejected_messages, Take(row, rejected, out));
  }
  if (out->prompt_messages.empty()) return absl::OkStatus();
  out->chosen_messages = {out->prompt_messages.back()};
  out->prompt_messages.pop_back();
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadMessageRow(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kMessages;
  const std::string chosen = FirstField(row, {"chosen", "chosen_conversations", "chosen_response",
                                              "completion", "response", "output", "answer"});
  const std::string rejected =
      FirstField(row, {"rejected", "rejected_conversations", "rejected_response"});
  FPO_ASSIGN_OR_RETURN(out->chosen_messages, Take(row, chosen.empty() ? "chosen" : chosen, out));
  out->has_rejected = !rejected.empty();
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(out->rejected_messages, Take(row, rejected, out));
  }
  return TakePrompt(row, out);
}

absl::Status ReadConversation(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kMessages;
  const std::string list = FirstField(row, {"messages", "conversations", "conversation"});
  // A label judges the last answer.
  if (HasField(row, "rejected_response") || HasField(row, "label") || HasField(row, "kto_tag")) {
    return ReadBeside(row, list, out);
  }
  FPO_ASSIGN_OR_RETURN(out->chosen_messages, Take(row, list, out));
  return absl::OkStatus();
}

absl::Status ReadOpenAi(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kMessages;
  const Json* input = FieldOf(row, "input");
  if (input == nullptr) return NoField("input");
  FPO_ASSIGN_OR_RETURN(out->prompt_messages, Take(*input, "messages", out));
  FPO_ASSIGN_OR_RETURN(out->chosen_messages, Take(row, "preferred_output", out));
  out->has_rejected = HasField(row, "non_preferred_output");
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(out->rejected_messages, Take(row, "non_preferred_output", out));
  }
  const Json* tools = FieldOf(*input, "tools");
  if (tools != nullptr && !tools->empty()) out->drop_reason = "tool_calls_unsupported";
  return absl::OkStatus();
}

absl::Status ReadUltraChat(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kMessages;
  for (const Json& text : row["data"]) {
    if (!text.is_string()) return absl::InvalidArgumentError("'data' is not a list of texts");
    const bool question = out->chosen_messages.size() % 2 == 0;
    out->chosen_messages.push_back({question ? "user" : "assistant", text.get<std::string>()});
  }
  return absl::OkStatus();
}

}  // namespace fpo::train
