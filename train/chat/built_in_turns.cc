#include "train/chat/built_in_turns.h"

#include "absl/strings/str_cat.h"
#include "train/chat/python_trim.h"

namespace fpo::train {
namespace {

absl::Status CheckRoles(const std::vector<Message>& messages) {
  bool user_next = true;
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    if (role == "system" && i == 0) continue;
    if (role != "user" && role != "assistant") {
      return absl::InvalidArgumentError(absl::StrCat("bad role \"", role, "\""));
    }
    if ((role == "user") != user_next) {
      return absl::InvalidArgumentError("the roles do not alternate");
    }
    user_next = !user_next;
  }
  return absl::OkStatus();
}

}  // namespace

std::string GemmaContent(const Message& message) {
  if (message.parts.empty()) return std::string(PythonTrim(message.content));
  std::string text;
  for (const std::string& part : message.parts) absl::StrAppend(&text, PythonTrim(part));
  return text;
}

absl::StatusOr<std::string> GemmaTurns(const std::vector<Message>& messages, bool asks) {
  if (const absl::Status roles = CheckRoles(messages); !roles.ok()) return roles;
  std::string text = "<bos>";
  std::string system;
  for (const Message& message : messages) {
    if (message.role == "system") {
      system = message.content + "\n\n";
      continue;
    }
    absl::StrAppend(&text, "<start_of_turn>", message.role == "user" ? "user" : "model", "\n",
                    system, GemmaContent(message), "<end_of_turn>\n");
    system.clear();
  }
  if (asks) absl::StrAppend(&text, "<start_of_turn>model\n");
  return text;
}

absl::StatusOr<std::string> HaloTurns(const std::vector<Message>& messages, bool asks) {
  if (const absl::Status roles = CheckRoles(messages); !roles.ok()) return roles;
  std::string text = "<bos>";
  for (const Message& message : messages) {
    absl::StrAppend(&text, "\n<|", message.role, "|>\n", message.content);
  }
  if (asks) absl::StrAppend(&text, "\n<|assistant|>\n");
  return text;
}

}  // namespace fpo::train
