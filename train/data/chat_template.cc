#include "train/data/chat_template.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

using Kind = PreferenceRow::Kind;

bool IsSpaceCode(uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// Value and length of the code point at the front; all white space needs at most three bytes.
uint32_t FrontCode(absl::string_view text, size_t* bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i])); };
  *bytes = 1;
  if (byte(0) < 0x80) return byte(0);
  if ((byte(0) & 0xE0) == 0xC0 && text.size() >= 2) {
    *bytes = 2;
    return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
  }
  if ((byte(0) & 0xF0) == 0xE0 && text.size() >= 3) {
    *bytes = 3;
    return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  }
  return 0xFFFFFFFF;
}

// What Jinja's trim filter removes: white space in the sense of Python's str.strip.
absl::string_view Trim(absl::string_view text) {
  size_t bytes = 0;
  while (!text.empty() && IsSpaceCode(FrontCode(text, &bytes))) text.remove_prefix(bytes);
  while (!text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && text.size() - last < 3 &&
           (static_cast<uint8_t>(text[last]) & 0xC0) == 0x80) {
      --last;
    }
    const absl::string_view tail = text.substr(last);
    if (!IsSpaceCode(FrontCode(tail, &bytes)) || bytes != tail.size()) break;
    text.remove_suffix(bytes);
  }
  return text;
}

std::string TurnHeader(absl::string_view role) {
  return absl::StrCat("<start_of_turn>", role, "\n");
}

absl::StatusOr<std::string> RenderPrompt(const std::vector<Message>& messages) {
  std::string text = "<bos>";
  std::string system;
  bool user_next = true;
  for (size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if (message.role == "system" && i == 0) {
      system = absl::StrCat(Trim(message.content), "\n\n");
      continue;
    }
    const bool user = message.role == "user";
    if (!user && message.role != "assistant" && message.role != "model") {
      return absl::InvalidArgumentError(absl::StrCat("bad role \"", message.role, "\""));
    }
    if (user != user_next) return absl::InvalidArgumentError("the roles do not alternate");
    user_next = !user_next;
    absl::StrAppend(&text, TurnHeader(user ? "user" : "model"), system, Trim(message.content),
                    "<end_of_turn>\n");
    system.clear();
  }
  if (user_next) return absl::InvalidArgumentError("the prompt does not end with the user");
  return text + TurnHeader("model");
}

absl::StatusOr<std::string> ResponseText(const std::vector<Message>& messages) {
  if (messages.size() != 1 || (messages[0].role != "assistant" && messages[0].role != "model")) {
    return absl::InvalidArgumentError("the response is not one assistant turn");
  }
  return std::string(Trim(messages[0].content));
}

std::string Joined(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) text += message.content;
  return text;
}

bool FolderHasTurns(const std::string& folder) {
  for (const char* name : {"chat_template.jinja", "chat_template.json", "tokenizer_config.json"}) {
    const auto text = ReadFile(absl::StrCat(folder, "/", name), 1 << 26);
    if (!text.ok()) continue;
    // The turn pieces are also listed as tokens, so only the template's own key counts.
    if (absl::StrContains(*text, "<start_of_turn>") &&
        (absl::EndsWith(name, ".jinja") || absl::StrContains(*text, "\"chat_template\""))) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<ChatTemplate> ChatTemplate::Create(const std::string& name,
                                                  const Tokenizer& tokenizer,
                                                  const std::string& model_folder) {
  if (name == "halo") {
    return absl::InvalidArgumentError(
        "data.template halo: this build does not know the turn tags of the HALOs project; use "
        "gemma or none, or give the rows as token ids (data.format ids)");
  }
  if (name != "gemma" && name != "none" && name != "auto") {
    return absl::InvalidArgumentError(
        absl::StrCat("data.template ", name, " is none of auto, gemma, halo, none"));
  }
  ChatTemplate made;
  made.name_ = name;
  made.eos_ = tokenizer.eos();
  const auto start = tokenizer.IdOf("<start_of_turn>");
  const auto end = tokenizer.IdOf("<end_of_turn>");
  const bool has_turns = start && end;
  if (has_turns) made.end_of_turn_ = *end;
  if (name == "gemma" && !has_turns && tokenizer.present().ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("data.template gemma: the tokenizer of ", model_folder,
                     " has no pieces <start_of_turn> and <end_of_turn>; use template: none"));
  }
  made.model_has_turns_ = has_turns && FolderHasTurns(model_folder);
  made.strings_are_turns_ = name == "gemma" || (name == "auto" && made.model_has_turns_);
  return made;
}

bool ChatTemplate::UsesTurns(const PreferenceRow& row) const {
  if (row.kind == Kind::kText || row.kind == Kind::kIds || name_ == "none") return false;
  if (row.kind == Kind::kStrings) return strings_are_turns_;
  return end_of_turn_ >= 0;
}

absl::StatusOr<RenderedRow> ChatTemplate::Render(const PreferenceRow& row) const {
  RenderedRow text;
  if (!UsesTurns(row)) {
    const bool messages = row.kind == Kind::kMessages;
    text.prompt = absl::StrCat("<bos>", messages ? Joined(row.prompt_messages) : row.prompt);
    text.chosen = messages ? Joined(row.chosen_messages) : row.chosen;
    text.rejected = messages ? Joined(row.rejected_messages) : row.rejected;
    return text;
  }
  const bool strings = row.kind == Kind::kStrings;
  FPO_ASSIGN_OR_RETURN(
      text.prompt,
      RenderPrompt(strings ? std::vector<Message>{{"user", row.prompt}} : row.prompt_messages));
  if (strings) {
    text.chosen = std::string(Trim(row.chosen));
    text.rejected = std::string(Trim(row.rejected));
    return text;
  }
  FPO_ASSIGN_OR_RETURN(text.chosen, ResponseText(row.chosen_messages));
  if (row.has_rejected) {
    FPO_ASSIGN_OR_RETURN(text.rejected, ResponseText(row.rejected_messages));
  }
  return text;
}

int32_t ChatTemplate::Terminator(const PreferenceRow& row) const {
  return UsesTurns(row) ? end_of_turn_ : eos_;
}

}  // namespace fpo::train
