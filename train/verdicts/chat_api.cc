#include "train/verdicts/chat_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/text/utf8.h"

namespace fpo::train {
namespace {

using ChatJson = nlohmann::json;

constexpr size_t kQuotedMax = 300;
constexpr int kCandidates = 20;  // the most that OpenAI's servers list

// For an error: one line, at most kQuotedMax bytes.
std::string QuotedBody(std::string text) {
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return ShortText(ToValidUtf8(std::move(text)), kQuotedMax);
}

absl::Status NoCompletion(absl::string_view what, const std::string& body) {
  return absl::InvalidArgumentError(absl::StrCat(
      "the server's response is no chat completion: ", what, "; it begins: ", QuotedBody(body)));
}

TokenCandidates TokenCandidatesOf(const ChatJson& choice) {
  TokenCandidates candidates;
  const ChatJson::json_pointer path("/logprobs/content/0/top_logprobs");
  if (!choice.contains(path) || !choice.at(path).is_array()) return candidates;
  for (const ChatJson& candidate : choice.at(path)) {
    const ChatJson* token = FindMember(candidate, "token");
    const ChatJson* log_prob = FindMember(candidate, "logprob");
    if (token == nullptr || log_prob == nullptr) continue;
    if (!token->is_string() || !log_prob->is_number()) continue;
    candidates.emplace_back(token->get<std::string>(), log_prob->get<double>());
  }
  return candidates;
}

int64_t UsageCount(const ChatJson& body, const char* key) {
  int64_t count = 0;
  const ChatJson* usage = FindMember(body, "usage");
  if (usage == nullptr || !ReadMember(*usage, key, &count).ok()) return 0;
  return std::max<int64_t>(count, 0);
}

// The "message" that servers put into an error's body; else the body itself.
std::string ServerMessage(const std::string& body) {
  const ChatJson json = ChatJson::parse(body, nullptr, false);
  const ChatJson* error = FindMember(json, "error");
  const ChatJson* message = FindMember(error == nullptr ? json : *error, "message");
  if (message != nullptr && message->is_string()) return QuotedBody(message->get<std::string>());
  if (error != nullptr && error->is_string()) return QuotedBody(error->get<std::string>());
  return QuotedBody(body);
}

bool IsPassingStatus(int status) {
  return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

std::string AdviceOn(int status) {
  if (status == 401 || status == 403) return " (is the key of --key-file right for this server?)";
  if (status == 404)
    return " (the URL ends before /chat/completions, usually in /v1; is the model there?)";
  if (status >= 300 && status < 400) return " (redirects are not followed; give the final URL)";
  return "";
}

}  // namespace

std::string ChatRequestBody(const ChatSettings& settings,
                            const std::vector<JudgeMessage>& messages) {
  std::vector<std::string> texts;
  for (const JudgeMessage& message : messages) {
    JsonObject object;
    object.Add("role", message.role);
    object.Add("content", message.text);
    texts.push_back(object.Text());
  }
  JsonObject body;
  body.Add("model", settings.model);
  body.AddRaw("messages", JsonArray(texts));
  body.Add("max_tokens", settings.max_tokens);
  body.Add("temperature", settings.temperature);
  if (settings.max_tokens == 1) {
    body.Add("logprobs", true);
    body.Add("top_logprobs", kCandidates);
  }
  return body.Text();
}

absl::StatusOr<ChatReply> ParseChatReply(const std::string& body) {
  const absl::StatusOr<ChatJson> json = ParseJson(body);
  if (!json.ok()) return NoCompletion(json.status().message(), body);
  const ChatJson* choices = FindMember(*json, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) {
    return NoCompletion("it has no \"choices\"", body);
  }
  const ChatJson& choice = choices->front();
  const ChatJson* message = FindMember(choice, "message");
  const ChatJson* content = message == nullptr ? nullptr : FindMember(*message, "content");
  if (content == nullptr || !content->is_string()) {
    return NoCompletion("choices[0] has no \"message\" with a text \"content\"", body);
  }
  ChatReply reply;
  reply.words = content->get<std::string>();
  reply.first_token = TokenCandidatesOf(choice);
  reply.prompt_tokens = UsageCount(*json, "prompt_tokens");
  reply.answer_tokens = UsageCount(*json, "completion_tokens");
  return reply;
}

ChatOutcome OutcomeOf(const absl::StatusOr<HttpResponse>& response) {
  ChatOutcome outcome;
  if (!response.ok()) {
    outcome.error = response.status();
    outcome.may_succeed =
        absl::IsUnavailable(outcome.error) || absl::IsDeadlineExceeded(outcome.error);
    return outcome;
  }
  if (response->status >= 200 && response->status < 300) {
    absl::StatusOr<ChatReply> reply = ParseChatReply(response->body);
    if (reply.ok()) {
      outcome.reply = *std::move(reply);
    } else {
      outcome.error = reply.status();
      outcome.may_succeed = !ChatJson::accept(response->body);
    }
    return outcome;
  }
  outcome.may_succeed = IsPassingStatus(response->status);
  outcome.wait = response->retry_after;
  outcome.error = absl::InvalidArgumentError(absl::StrCat("the server answers ", response->status,
                                                          ": ", ServerMessage(response->body),
                                                          AdviceOn(response->status)));
  return outcome;
}

}  // namespace fpo::train
