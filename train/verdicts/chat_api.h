#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/evaluation/win_rate.h"
#include "common/http/http_transfers.h"
#include "train/verdicts/judge_prompt.h"

namespace fpo::train {

// The chat completions that OpenAI's servers and those made like them (vLLM, llama.cpp, TGI) speak.

struct ChatSettings {
  std::string model;       // as the server names it
  int64_t max_tokens = 1;  // of the judge's answer; 1: its verdict is weighed by log-probabilities
  double temperature = 0;
};

std::string ChatRequestBody(const ChatSettings& settings,
                            const std::vector<JudgeMessage>& messages);

struct ChatReply {
  std::string words;
  TokenCandidates first_token;  // candidates of the first token; empty where the server lists none
  int64_t prompt_tokens = 0;    // 0: it does not say
  int64_t answer_tokens = 0;
};
// InvalidArgument names what a completion lacks, with the beginning of the text.
absl::StatusOr<ChatReply> ParseChatReply(const std::string& body);

// What became of a request.
struct ChatOutcome {
  std::optional<ChatReply> reply;
  absl::Status error;        // when there is none
  bool may_succeed = false;  // the same request later: the server is busy, broken or out of reach
  absl::Duration wait;       // at least this long, as the server asks; zero: it does not say
};
// 2xx with a completion is a reply. May succeed later: no or a cut connection, a deadline, 408,
// 409, 425, 429, 5xx, and a 2xx whose body is no JSON, as of a proxy that fails. Everything else
// says that the request or the URL is wrong. Errors quote the server's own message, at most 300
// bytes of it.
ChatOutcome OutcomeOf(const absl::StatusOr<HttpResponse>& response);

}  // namespace fpo::train
