#include "train/rows/message_json.h"

#include <initializer_list>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "train/rows/row_fields.h"
#include "train/rows/row_form.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr char kImages[] = "images_unsupported";
constexpr char kAudio[] = "audio_unsupported";
constexpr char kTools[] = "tool_calls_unsupported";

// system, user, assistant, "tool", or "" for a role that no tool writes.
std::string RoleOf(const std::string& written) {
  static const std::map<std::string, const char*> roles = {
      {"system", "system"},      {"developer", "system"},  {"user", "user"},
      {"human", "user"},         {"prompter", "user"},     {"assistant", "assistant"},
      {"model", "assistant"},    {"gpt", "assistant"},     {"bot", "assistant"},
      {"chatbot", "assistant"},  {"chatgpt", "assistant"}, {"ai", "assistant"},
      {"tool", "tool"},          {"function", "tool"},     {"observation", "tool"},
      {"function_call", "tool"}, {"tool_call", "tool"},    {"tool_calls", "tool"},
      {"tool_response", "tool"}, {"tool_result", "tool"},  {"function_response", "tool"},
      {"ipython", "tool"},       {"environment", "tool"},
  };
  const auto it = roles.find(absl::AsciiStrToLower(written));
  return it == roles.end() ? "" : it->second;
}

bool HasAny(const Json& item, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const Json* field = FieldOf(item, key);
    const bool empty = field == nullptr || (field->is_array() && field->empty()) || *field == "";
    if (!empty) return true;
  }
  return false;
}

// What stands beside the content of a message and is not text, as some tools write it.
std::string WhyMoreThanText(const Json& item) {
  if (HasAny(item, {"tool_calls", "function_call", "tool_call_id"})) return kTools;
  if (HasAny(item, {"images", "image", "image_url", "videos", "video"})) return kImages;
  return HasAny(item, {"audios", "audio"}) ? kAudio : "";
}

// The reason why a part of this type cannot be used; "" for a text or an unknown type.
std::string WhyNoText(const std::string& type) {
  if (absl::StrContains(type, "image") || absl::StrContains(type, "video")) return kImages;
  if (absl::StrContains(type, "audio")) return kAudio;
  return absl::StrContains(type, "tool") || absl::StrContains(type, "function") ? kTools : "";
}

// Takes the text of one part, {"type": "text", "text": ...} or a string.
absl::Status TakePart(const Json& part, std::vector<std::string>* texts, std::string* drop_reason) {
  if (part.is_string()) {
    texts->push_back(part.get<std::string>());
    return absl::OkStatus();
  }
  const std::string type = HasString(part, "type") ? part["type"].get<std::string>() : "text";
  std::string why = WhyNoText(type);
  if (!why.empty()) {
    *drop_reason = std::move(why);
  } else if (absl::StrContains(type, "text") && HasString(part, "text")) {
    texts->push_back(part["text"].get<std::string>());
  } else {
    return absl::InvalidArgumentError("has a part that is neither a text nor an image");
  }
  return absl::OkStatus();
}

// Fills the content of a message.
absl::Status TakeContent(const Json& content, Message* message, std::string* drop_reason) {
  if (content.is_string()) {
    message->content = content.get<std::string>();
    return absl::OkStatus();
  }
  if (content.is_null()) {
    *drop_reason = "no_content";
    return absl::OkStatus();
  }
  if (!content.is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("has a content that is ", content.type_name(),
                                                   ", expected a text or a list of parts"));
  }
  std::vector<std::string> texts;
  for (const Json& part : content) FPO_RETURN_IF_ERROR(TakePart(part, &texts, drop_reason));
  message->content = absl::StrJoin(texts, "");
  if (texts.size() > 1) message->parts = std::move(texts);
  return absl::OkStatus();
}

// OpenAI's weight and axolotl's train: an assistant turn that is context only. A share of a turn
// cannot be trained on.
absl::StatusOr<bool> IsTrained(const Json& item) {
  const Json* train = FieldOf(item, "train");
  if (train != nullptr && train->is_boolean()) return train->get<bool>();
  const double weight = NumberOf(item, "weight").value_or(1);
  if (weight == 0 || weight == 1) return weight == 1;
  return absl::InvalidArgumentError(
      absl::StrCat("has the weight ", weight, "; a turn is trained on (1) or context (0)"));
}

absl::Status TakeMessage(const Json& item, MessageList* list) {
  const std::string wrong = WhyNoMessage(item);
  if (!wrong.empty()) return absl::InvalidArgumentError(wrong);
  const std::string written = item[item.contains("role") ? "role" : "from"].get<std::string>();
  const char* key = item.contains("content") ? "content" : "value";
  Message message;
  message.role = RoleOf(written);
  FPO_ASSIGN_OR_RETURN(message.trained, IsTrained(item));
  std::string reason = message.role == "tool" ? kTools : WhyMoreThanText(item);
  if (reason.empty() && message.role.empty()) reason = "unknown_role";
  if (reason.empty()) {
    FPO_RETURN_IF_ERROR(TakeContent(item.value(key, Json()), &message, &reason));
  }
  if (list->drop_reason.empty()) list->drop_reason = std::move(reason);
  list->messages.push_back(std::move(message));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MessageList> MessagesOf(const Json& value, absl::string_view key) {
  MessageList list;
  if (value.is_string()) {
    list.messages = {{"assistant", value.get<std::string>()}};
    return list;
  }
  if (!value.is_array() && !value.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("field '", key, "' is ", value.type_name(),
                                                   ", expected a list of {role, content}"));
  }
  const Json single = value.is_object() ? Json::array({value}) : Json();
  for (const Json& item : value.is_object() ? single : value) {
    const absl::Status taken = TakeMessage(item, &list);
    if (taken.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("message ", list.messages.size(), " of '", key, "' ", taken.message()));
  }
  return list;
}

}  // namespace fpo::train
