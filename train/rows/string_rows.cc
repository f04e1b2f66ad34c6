#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "train/rows/row_fields.h"
#include "train/rows/row_readers.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;
using Kind = PreferenceRow::Kind;

constexpr absl::string_view kHuman = "\n\nHuman:";
constexpr absl::string_view kAssistant = "\n\nAssistant:";

// The keys of a response, in the order in which they count.
const std::vector<const char*>& ChosenKeys() {
  static const std::vector<const char*> keys = {
      "chosen", "chosen_response", "response_j", "completion", "output", "response", "answer"};
  return keys;
}
std::string RejectedKey(const Json& row) {
  return FirstField(row, {"rejected", "rejected_response", "response_k"});
}

absl::Status TakeResponses(const Json& row, PreferenceRow* out) {
  const std::string chosen = FirstField(row, ChosenKeys());
  FPO_ASSIGN_OR_RETURN(out->chosen, TakeString(row, chosen.empty() ? "chosen" : chosen));
  const std::string rejected = RejectedKey(row);
  out->has_rejected = !rejected.empty();
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(out->rejected, TakeString(row, rejected));
  }
  return absl::OkStatus();
}

// "\n\nHuman: a\n\nAssistant: b" as messages. Text before the first mark makes it malformed.
absl::StatusOr<std::vector<Message>> SplitTranscript(absl::string_view text) {
  std::vector<Message> messages;
  while (!text.empty()) {
    const bool human = absl::ConsumePrefix(&text, kHuman);
    if (!human && !absl::ConsumePrefix(&text, kAssistant)) {
      return absl::InvalidArgumentError("the transcript does not begin with \"\\n\\nHuman:\"");
    }
    const size_t end = std::min({text.find(kHuman), text.find(kAssistant), text.size()});
    messages.push_back({human ? "user" : "assistant", std::string(text.substr(0, end))});
    text.remove_prefix(end);
  }
  return messages;
}

// Where the answer begins: after the last "\n\nAssistant:".
absl::StatusOr<size_t> PromptEnd(const std::string& text) {
  const size_t at = absl::string_view(text).rfind(kAssistant);
  if (at == absl::string_view::npos) {
    return absl::InvalidArgumentError("a transcript without \"\\n\\nAssistant:\"");
  }
  return at + kAssistant.size();
}

// Some copies have lost the empty line in front.
std::string Completed(std::string text) {
  return absl::StartsWith(text, kHuman.substr(2)) ? absl::StrCat("\n\n", text) : text;
}

// Some files have the prompt again in front of each response.
std::string WithoutPrompt(const std::string& prompt, std::string response) {
  const std::string whole = Completed(response);
  return absl::StartsWith(whole, prompt) ? whole.substr(prompt.size()) : response;
}

bool BeginsLikeTranscript(const Json& row, absl::string_view key) {
  if (!HasString(row, key)) return false;
  const std::string& text = FieldOf(row, key)->get_ref<const std::string&>();
  return absl::StartsWith(text, kHuman) || absl::StartsWith(text, kHuman.substr(2));
}

bool IsCodePointStart(const std::string& text, size_t at) {
  return at == text.size() || (static_cast<uint8_t>(text[at]) & 0xC0) != 0x80;
}

}  // namespace

absl::Status ReadStrings(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kStrings;
  FPO_ASSIGN_OR_RETURN(out->prompt, TakeString(row, "prompt"));
  return TakeResponses(row, out);
}

absl::Status ReadInstruction(const Json& row, PreferenceRow* out) {
  const std::optional<PromptText> prompt = PromptTextOf(row);
  if (!prompt) return NoField("instruction");
  FPO_RETURN_IF_ERROR(TakeResponses(row, out));
  out->kind = Kind::kMessages;
  out->prompt_messages = {{"user", prompt->text}};
  out->chosen_messages = {{"assistant", std::move(out->chosen)}};
  if (out->has_rejected) out->rejected_messages = {{"assistant", std::move(out->rejected)}};
  out->chosen.clear();
  out->rejected.clear();
  return absl::OkStatus();
}

// As TRL's extract_prompt: the common beginning, without a space at its end; each side keeps at
// least one character.
absl::Status ReadImplicitPrompt(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kStrings;
  FPO_RETURN_IF_ERROR(TakeResponses(row, out));
  if (!out->has_rejected) return NoField("prompt");
  const std::string &a = out->chosen, &b = out->rejected;
  const size_t shorter = std::min(a.size(), b.size());
  size_t common = 0;
  while (common < shorter && a[common] == b[common]) ++common;
  const bool differ = common < shorter;
  if (!differ && common > 0) --common;
  while (common > 0 && !(IsCodePointStart(a, common) && IsCodePointStart(b, common))) --common;
  if (differ && common > 0 && a[common - 1] == ' ') --common;
  if (common == 0) out->pair_drop_reason = "no_shared_prompt";
  if (a == b) out->pair_drop_reason = "identical_pair";
  out->prompt = a.substr(0, common);
  out->chosen = a.substr(common);
  out->rejected = b.substr(common);
  return absl::OkStatus();
}

bool IsTranscript(const Json& row) {
  const std::string chosen = FirstField(row, ChosenKeys());
  return BeginsLikeTranscript(row, HasField(row, "prompt") ? "prompt" : chosen);
}

absl::Status ReadTranscript(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kTranscript;
  FPO_RETURN_IF_ERROR(TakeResponses(row, out));
  std::string chosen = std::move(out->chosen), rejected = std::move(out->rejected);
  if (HasField(row, "prompt")) {
    FPO_ASSIGN_OR_RETURN(out->prompt, TakeString(row, "prompt"));
    out->prompt = Completed(std::move(out->prompt));
    FPO_ASSIGN_OR_RETURN(const size_t end, PromptEnd(out->prompt));
    if (end != out->prompt.size()) {
      return absl::InvalidArgumentError("'prompt' does not end with \"\\n\\nAssistant:\"");
    }
    out->chosen = WithoutPrompt(out->prompt, std::move(chosen));
    out->rejected = WithoutPrompt(out->prompt, std::move(rejected));
  } else {
    chosen = Completed(std::move(chosen));
    rejected = Completed(std::move(rejected));
    FPO_ASSIGN_OR_RETURN(const size_t end, PromptEnd(chosen));
    out->prompt = chosen.substr(0, end);
    out->chosen = chosen.substr(end);
    if (out->has_rejected) {
      FPO_ASSIGN_OR_RETURN(const size_t rejected_end, PromptEnd(rejected));
      const bool shared = rejected.substr(0, rejected_end) == out->prompt;
      if (!shared) out->pair_drop_reason = "no_shared_prompt";
      out->rejected = rejected.substr(rejected_end);
    }
  }
  FPO_ASSIGN_OR_RETURN(out->prompt_messages, SplitTranscript(out->prompt));
  out->prompt_messages.pop_back();  // the empty turn that the response fills
  out->chosen_messages = {{"assistant", out->chosen}};
  if (out->has_rejected) out->rejected_messages = {{"assistant", out->rejected}};
  return absl::OkStatus();
}

absl::Status ReadIds(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kIds;
  FPO_ASSIGN_OR_RETURN(out->prompt_ids, TakeIds(row, "prompt_ids"));
  const std::string chosen = FirstField(row, {"chosen_ids", "response_ids", "completion_ids"});
  FPO_ASSIGN_OR_RETURN(out->chosen_ids, TakeIds(row, chosen.empty() ? "chosen_ids" : chosen));
  out->has_rejected = HasField(row, "rejected_ids");
  if (out->has_rejected) {
    FPO_ASSIGN_OR_RETURN(out->rejected_ids, TakeIds(row, "rejected_ids"));
  }
  return absl::OkStatus();
}

absl::Status ReadPlainText(const Json& row, PreferenceRow* out) {
  out->kind = Kind::kText;
  FPO_ASSIGN_OR_RETURN(out->chosen, TakeString(row, "text"));
  return absl::OkStatus();
}

}  // namespace fpo::train
