#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "train/verdicts/chat_api.h"
#include "train/verdicts/judge.h"
#include "train/verdicts/judge_prompt.h"

namespace fpo::train {

// A judge behind an OpenAI-compatible server.
struct EndpointOptions {
  std::string url;             // up to /chat/completions, which is added: "https://host/v1"
  std::string key_file;        // its first line is sent as a bearer token; empty: none
  std::string ca_file;         // PEM; empty: the system's authorities
  std::string known_as;        // stands for the URL in the judge's identity; empty: the URL
  bool key_over_http = false;  // sends the key over http:// to other hosts too
  ChatSettings chat;
  JudgePrompt prompt;
  int64_t parallel = 4;            // requests in progress
  double requests_per_minute = 0;  // begun at most; 0: no limit
  int64_t retries = 8;             // of one request
  absl::Duration timeout = absl::Minutes(5);
  absl::Duration first_wait = absl::Seconds(1);  // before a retry, then twice as long each time
  absl::Duration longest_wait = absl::Minutes(1);
  absl::Duration retry_after_max = absl::Minutes(15);  // a server that asks for more ends the run
};

// InvalidArgument: a URL that is not http(s)://HOST..., with a user or password, or with a query; a
// key over http:// to another host; a key file that others may read, or without a key. Nothing is
// asked yet. The key appears in no message, log, identity or command line.
//
// JudgeAll ends with the last error of a request that failed for good, or retries + 1 times; it
// then waits for those in progress, whose verdicts are taken.
absl::StatusOr<std::unique_ptr<Judge>> MakeEndpointJudge(const EndpointOptions& options);

// The host of an http or https URL as people name it; errors as above.
struct EndpointUrl {
  std::string completions;  // ".../chat/completions"
  std::string identity;     // without a slash at the end, in lower case up to the path
  bool is_encrypted = false;
  bool is_this_host = false;  // localhost, 127.*, [::1]
};
absl::StatusOr<EndpointUrl> ParseEndpointUrl(const std::string& url);

}  // namespace fpo::train
