#include "train/verdicts/endpoint_judge.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/access_list.h"
#include "common/backoff.h"
#include "common/http/http_transfers.h"
#include "common/status_macros.h"
#include "common/text/json.h"

namespace fpo::train {
namespace {

constexpr absl::Duration kLookAround = absl::Milliseconds(200);  // between two looks at ShouldStop

absl::Status BadUrl(const std::string& url, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--judge ", url, ": ", what));
}

// `host` with its port.
bool IsThisHost(absl::string_view host) {
  const size_t port = host.rfind(':');
  if (port != absl::string_view::npos && !absl::EndsWith(host, "]")) host = host.substr(0, port);
  return host == "localhost" || host == "[::1]" ||
         (absl::StartsWith(host, "127.") &&
          host.find_first_not_of("0123456789.") == absl::string_view::npos);
}

std::string IdentityOfEndpoint(const EndpointOptions& options, const EndpointUrl& url) {
  JsonObject identity;
  identity.Add("kind", "endpoint");
  identity.Add("at", options.known_as.empty() ? url.identity : options.known_as);
  identity.Add("model", options.chat.model);
  identity.Add("prompt", DigestOf(options.prompt));
  identity.Add("max_tokens", options.chat.max_tokens);
  identity.Add("temperature", options.chat.temperature);
  return identity.Text();
}

class EndpointJudge final : public Judge {
 public:
  EndpointJudge(EndpointOptions options, const EndpointUrl& url, const std::string& key)
      : options_(std::move(options)), url_(url), identity_(IdentityOfEndpoint(options_, url)) {
    headers_ = {"Content-Type: application/json", "Accept: application/json"};
    if (!key.empty()) headers_.push_back(absl::StrCat("Authorization: Bearer ", key));
  }
  const std::string& identity() const override { return identity_; }
  const std::string& name() const override { return options_.chat.model; }
  absl::Status JudgeAll(const std::vector<JudgeConversation>& conversations,
                        VerdictSink& sink) override;

  const EndpointOptions options_;
  const EndpointUrl url_;
  const std::string identity_;
  std::vector<std::string> headers_;
};

// One call of JudgeAll.
class EndpointRun {
 public:
  EndpointRun(const EndpointJudge& judge, const std::vector<JudgeConversation>& conversations,
              VerdictSink& sink)
      : judge_(judge),
        options_(judge.options_),
        conversations_(conversations),
        sink_(sink),
        transfers_({options_.timeout, absl::Seconds(20), 16 << 20, options_.ca_file}) {
    asks_.resize(conversations.size());
    for (size_t i = 0; i < conversations.size(); ++i) waiting_.push_back(i);
  }
  absl::Status Run();

 private:
  struct Ask {
    std::unique_ptr<Backoff> backoff;  // once it has failed
    absl::Time not_before;
    int64_t failures = 0;
  };
  void Begin(absl::Time now);
  void Send(size_t index);
  absl::Duration UntilNext(absl::Time now) const;
  absl::Status Take(const HttpTransfers::Done& done);
  absl::Status Accept(size_t index, ChatReply reply);
  absl::Status Failed(size_t index, const ChatOutcome& outcome);

  const EndpointJudge& judge_;
  const EndpointOptions& options_;
  const std::vector<JudgeConversation>& conversations_;
  VerdictSink& sink_;
  HttpTransfers transfers_;
  std::vector<Ask> asks_;
  std::vector<size_t> waiting_;  // in order of the conversations
  absl::Time next_start_;        // by requests_per_minute
  absl::Time pause_until_;       // as the server asks, for all requests
  absl::Time noted_;
  bool noted_words_ = false;
};

void EndpointRun::Send(size_t index) {
  transfers_.Start(index, {judge_.url_.completions, judge_.headers_,
                           ChatRequestBody(options_.chat, conversations_[index])});
}

void EndpointRun::Begin(absl::Time now) {
  for (size_t place = 0; place < waiting_.size();) {
    const size_t index = waiting_[place];
    if (static_cast<int64_t>(transfers_.in_progress()) >= options_.parallel) return;
    if (now < next_start_ || now < pause_until_) return;
    if (now < asks_[index].not_before) {
      ++place;
      continue;
    }
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(place));
    Send(index);
    if (options_.requests_per_minute > 0) {
      next_start_ = std::max(next_start_, now) + absl::Minutes(1) / options_.requests_per_minute;
    }
  }
}

// Until a request may begin; at most kLookAround.
absl::Duration EndpointRun::UntilNext(absl::Time now) const {
  if (static_cast<int64_t>(transfers_.in_progress()) >= options_.parallel) return kLookAround;
  absl::Time first = absl::InfiniteFuture();
  for (const size_t index : waiting_) first = std::min(first, asks_[index].not_before);
  first = std::max({first, next_start_, pause_until_});
  return std::clamp(first - now, absl::ZeroDuration(), kLookAround);
}

absl::Status EndpointRun::Accept(size_t index, ChatReply reply) {
  Verdict verdict;
  const bool weighs = options_.chat.max_tokens == 1 && options_.prompt.form == VerdictForm::kWinner;
  const auto weighted = VerdictOfLogProbs(reply.first_token, options_.prompt.first_token,
                                          options_.prompt.second_token);
  if (weighs && weighted) {
    verdict.first = weighted->first;
    verdict.mass = weighted->mass;
    verdict.is_weighted = true;
  } else {
    ReadVerdict(options_.prompt, reply.words, &verdict);
    if (weighs && reply.first_token.empty() && !noted_words_) {
      noted_words_ = true;
      sink_.Note("the server lists no log-probabilities, so its words count: a verdict is 0 or 1");
    }
  }
  verdict.words = std::move(reply.words);
  verdict.prompt_tokens = reply.prompt_tokens;
  verdict.answer_tokens = reply.answer_tokens;
  verdict.unix_seconds = absl::ToUnixSeconds(absl::Now());
  return sink_.Done(index, std::move(verdict));
}

absl::Status EndpointRun::Failed(size_t index, const ChatOutcome& outcome) {
  Ask& ask = asks_[index];
  if (!outcome.may_succeed) return outcome.error;
  if (ask.failures++ == options_.retries) {
    return absl::UnavailableError(
        absl::StrCat("given up after ", options_.retries + 1, " tries: ", outcome.error.message()));
  }
  if (outcome.wait > options_.retry_after_max) {
    return absl::UnavailableError(absl::StrCat(
        "the server asks to wait for ", absl::FormatDuration(outcome.wait),
        "; what is judged is kept, run the same command then: ", outcome.error.message()));
  }
  const absl::Time now = absl::Now();
  if (ask.backoff == nullptr) {
    ask.backoff = std::make_unique<Backoff>(
        Backoff::Options{options_.first_wait, options_.longest_wait, std::random_device()()});
  }
  ask.not_before = now + std::max(ask.backoff->Next(), outcome.wait);
  if (outcome.wait > absl::ZeroDuration())
    pause_until_ = std::max(pause_until_, now + outcome.wait);
  waiting_.insert(std::lower_bound(waiting_.begin(), waiting_.end(), index), index);
  if (now >= noted_ + absl::Seconds(10)) {
    noted_ = now;
    sink_.Note(absl::StrCat(
        outcome.error.message(), "; asked again in ",
        absl::FormatDuration(absl::Trunc(ask.not_before - now, absl::Milliseconds(10)))));
  }
  return absl::OkStatus();
}

absl::Status EndpointRun::Take(const HttpTransfers::Done& done) {
  ChatOutcome outcome = OutcomeOf(done.response);
  if (outcome.reply) return Accept(done.id, *std::move(outcome.reply));
  return Failed(done.id, outcome);
}

absl::Status EndpointRun::Run() {
  absl::Status status;
  while (!waiting_.empty() || transfers_.in_progress() > 0) {
    if (!status.ok() || sink_.ShouldStop()) waiting_.clear();
    const absl::Time now = absl::Now();
    Begin(now);
    if (waiting_.empty() && transfers_.in_progress() == 0) break;
    for (const HttpTransfers::Done& done : transfers_.Wait(UntilNext(now))) {
      status.Update(Take(done));
    }
  }
  return status;
}

absl::Status EndpointJudge::JudgeAll(const std::vector<JudgeConversation>& conversations,
                                     VerdictSink& sink) {
  return EndpointRun(*this, conversations, sink).Run();
}

}  // namespace

absl::StatusOr<EndpointUrl> ParseEndpointUrl(const std::string& url) {
  EndpointUrl parsed;
  const size_t scheme_end = url.find("://");
  const std::string scheme = absl::AsciiStrToLower(url.substr(0, scheme_end));
  if (scheme_end == std::string::npos || (scheme != "http" && scheme != "https")) {
    return BadUrl(url, "a server's URL begins with http:// or https://");
  }
  const std::string rest = url.substr(scheme_end + 3);
  const size_t path_begin = std::min(rest.find('/'), rest.size());
  const std::string host = absl::AsciiStrToLower(rest.substr(0, path_begin));
  if (absl::StrContains(host, "@")) {
    return absl::InvalidArgumentError(  // without the URL, which holds a password
        "--judge: the URL has a user or password; put the key into a file and give --key-file");
  }
  const bool is_plain = std::all_of(url.begin(), url.end(), absl::ascii_isgraph);
  const bool has_port = !absl::EndsWith(host, ":");  // one that is left out means no other one
  if (host.empty() || host[0] == ':' || !has_port || !is_plain)
    return BadUrl(url, "it names no host, or no port behind the colon");
  if (rest.find_first_of("?#") != std::string::npos) {
    return absl::InvalidArgumentError(  // without the URL: some servers take keys in a query
        "--judge: the URL has a query or a fragment, which chat completions do not take");
  }
  std::string path = rest.substr(path_begin);
  while (absl::EndsWith(path, "/")) path.pop_back();
  path = std::string(absl::StripSuffix(path, "/chat/completions"));
  parsed.is_encrypted = scheme == "https";
  parsed.is_this_host = IsThisHost(host);
  parsed.identity = absl::StrCat(scheme, "://", host, path);
  parsed.completions = absl::StrCat(parsed.identity, "/chat/completions");
  return parsed;
}

absl::StatusOr<std::unique_ptr<Judge>> MakeEndpointJudge(const EndpointOptions& options) {
  FPO_ASSIGN_OR_RETURN(const EndpointUrl url, ParseEndpointUrl(options.url));
  if (options.chat.model.empty()) {
    return absl::InvalidArgumentError(
        "a server has several models: name the judge's with --judge-model");
  }
  std::string key;
  if (!options.key_file.empty()) {
    if (!url.is_encrypted && !url.is_this_host && !options.key_over_http) {
      return absl::InvalidArgumentError(
          absl::StrCat(options.url,
                       " is not encrypted, so others on the way could read the key; "
                       "use https://, or allow it with --key-over-http"));
    }
    FPO_ASSIGN_OR_RETURN(key, ReadTokenFile(options.key_file));
  }
  return std::unique_ptr<Judge>(std::make_unique<EndpointJudge>(options, url, key));
}

}  // namespace fpo::train
