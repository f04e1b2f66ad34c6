#include "train/verdicts/endpoint_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/train/verdicts/judge_server.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class RecordedVerdicts final : public VerdictSink {
 public:
  absl::Status Done(size_t index, Verdict verdict) override {
    EXPECT_TRUE(verdicts.emplace(index, std::move(verdict)).second) << index;
    return absl::OkStatus();
  }
  void Note(const std::string& message) override { notes.push_back(message); }
  bool ShouldStop() override { return verdicts.size() >= stop_after; }

  std::map<size_t, Verdict> verdicts;
  std::vector<std::string> notes;
  size_t stop_after = 1000;
};

// The longer answer wins: the second in pairs with an odd place.
std::vector<JudgeConversation> Pairs(int count) {
  std::vector<JudgeConversation> pairs;
  for (int i = 0; i < count; ++i) {
    const std::string answer = i % 2 ? "short" : "a long answer with many words";
    pairs.push_back(FillPrompt(DefaultJudgePrompt(),
                               {absl::StrCat("question ", i), answer, "an answer between"}));
  }
  return pairs;
}

class EndpointJudgeTest : public ::testing::Test {
 protected:
  void Start(const std::string& plan) {
    server_ = std::make_unique<JudgeServer>(plan);
    options_.url = server_->url();
    options_.chat.model = "long-is-good";
    options_.prompt = DefaultJudgePrompt();
    options_.first_wait = absl::Milliseconds(5);
    options_.longest_wait = absl::Milliseconds(20);
    options_.parallel = 1;
  }
  absl::Status Judge(int count) {
    const auto judge = MakeEndpointJudge(options_);
    if (!judge.ok()) return judge.status();
    return (*judge)->JudgeAll(Pairs(count), sink_);
  }
  std::string KeyFile(mode_t mode) {
    const std::string path = folder_.Put("key", "sk-secret-123\n");
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  std::vector<std::string> Steps() const {
    std::vector<std::string> steps;
    for (const auto& request : server_->Requests()) steps.push_back(request["step"]);
    return steps;
  }

  ScratchFolder folder_;
  std::unique_ptr<JudgeServer> server_;
  EndpointOptions options_;
  RecordedVerdicts sink_;
};

TEST_F(EndpointJudgeTest, WeighsByLogProbabilities) {
  Start("");
  ASSERT_TRUE(Judge(4).ok());
  ASSERT_EQ(sink_.verdicts.size(), 4u);
  for (const auto& [index, verdict] : sink_.verdicts) {
    EXPECT_TRUE(verdict.is_weighted);
    EXPECT_NEAR(verdict.mass, 0.8, 1e-9);
    const double gap = index % 2 ? 5.0 - 17.0 : 29.0 - 17.0;
    EXPECT_NEAR(*verdict.first, 1 / (1 + std::exp(-gap / 10)), 1e-9) << index;
    EXPECT_EQ(verdict.words, index % 2 ? "B" : "A");
    EXPECT_EQ(verdict.prompt_tokens, 100);
    EXPECT_EQ(verdict.answer_tokens, 1);
  }
  const auto requests = server_->Requests();
  EXPECT_EQ(requests[0]["path"], "/v1/chat/completions");
  EXPECT_EQ(requests[0]["model"], "long-is-good");
  EXPECT_TRUE(requests[0]["authorization"].is_null());
}

TEST_F(EndpointJudgeTest, EveryPassingFailureIsTriedAgain) {
  Start("429,500,cut,malformed,503,good,cut");
  ASSERT_TRUE(Judge(3).ok());
  EXPECT_EQ(sink_.verdicts.size(), 3u);
  EXPECT_EQ(Steps().size(), 9u);
  ASSERT_FALSE(sink_.notes.empty());
  EXPECT_THAT(sink_.notes[0], HasSubstr("answers 429: told to answer 429; asked again in"));
}

TEST_F(EndpointJudgeTest, ASlowServerIsGivenUpAndAskedAgain) {
  Start("slow");
  options_.timeout = absl::Milliseconds(300);
  ASSERT_TRUE(Judge(1).ok());
  EXPECT_THAT(Steps(), ElementsAre("slow", "good"));
}

TEST_F(EndpointJudgeTest, RetryAfterHoldsForAllRequests) {
  Start("429@1");
  options_.parallel = 3;
  ASSERT_TRUE(Judge(6).ok());
  const auto requests = server_->Requests();
  ASSERT_EQ(requests.size(), 7u);
  // Up to three were on their way; the others waited for a second.
  int early = 0;
  for (size_t i = 1; i < requests.size(); ++i) {
    const double after = requests[i]["time"].get<double>() - requests[0]["time"].get<double>();
    early += after < 0.95 ? 1 : 0;
  }
  EXPECT_LE(early, 3);
}

TEST_F(EndpointJudgeTest, AServerThatAsksForTooLongAWaitEndsTheRun) {
  Start("good,429@3600");
  const absl::Status status = Judge(3);
  EXPECT_THAT(std::string(status.message()), HasSubstr("asks to wait for 1h"));
  EXPECT_EQ(sink_.verdicts.size(), 1u);
}

TEST_F(EndpointJudgeTest, WhatCannotSucceedEndsAtOnceAndKeepsTheRest) {
  for (const char* step : {"401", "404", "schema"}) {
    Start(absl::StrCat("good,", step));
    sink_.verdicts.clear();
    const absl::Status status = Judge(5);
    EXPECT_FALSE(status.ok()) << step;
    EXPECT_EQ(sink_.verdicts.size(), 1u) << step;
    EXPECT_THAT(Steps(), ElementsAre("good", step));
  }
}

TEST_F(EndpointJudgeTest, GivesUpAfterTheRetries) {
  Start("500,500,500,500");
  options_.retries = 2;
  const absl::Status status = Judge(1);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("given up after 3 tries: the server answers"));
  EXPECT_EQ(Steps().size(), 3u);
}

TEST_F(EndpointJudgeTest, NoServerIsAnErrorThatNamesTheHost) {
  Start("");
  options_.url = "http://127.0.0.1:1/v1";
  options_.retries = 1;
  EXPECT_THAT(std::string(Judge(1).message()), HasSubstr("127.0.0.1"));
}

TEST_F(EndpointJudgeTest, WithoutLogProbabilitiesTheWordsCount) {
  Start("words,words,mute");
  ASSERT_TRUE(Judge(3).ok());
  EXPECT_EQ(sink_.verdicts[0].first, 1.0);
  EXPECT_EQ(sink_.verdicts[1].first, 0.0);
  EXPECT_FALSE(sink_.verdicts[2].first.has_value());
  EXPECT_FALSE(sink_.verdicts[0].is_weighted);
  ASSERT_EQ(sink_.notes.size(), 1u);
  EXPECT_THAT(sink_.notes[0], HasSubstr("lists no log-probabilities"));
}

TEST_F(EndpointJudgeTest, AsManyAtATimeAsAllowed) {
  Start("busy,busy,busy,busy,busy,busy,busy,busy");
  options_.parallel = 3;
  ASSERT_TRUE(Judge(8).ok());
  int most = 0;
  for (const auto& request : server_->Requests())
    most = std::max(most, request["active"].get<int>());
  EXPECT_EQ(most, 3);
}

TEST_F(EndpointJudgeTest, TheRateIsLimited) {
  Start("");
  options_.parallel = 4;
  options_.requests_per_minute = 1200;  // one in 50 ms
  ASSERT_TRUE(Judge(6).ok());
  const auto requests = server_->Requests();
  const double seconds = requests[5]["time"].get<double>() - requests[0]["time"].get<double>();
  EXPECT_GE(seconds, 0.2);  // 0.25 less what the first one took to arrive
}

TEST_F(EndpointJudgeTest, StopsWhenAsked) {
  Start("");
  sink_.stop_after = 2;
  ASSERT_TRUE(Judge(50).ok());
  EXPECT_GE(sink_.verdicts.size(), 2u);
  EXPECT_LE(sink_.verdicts.size(), 4u);
}

TEST_F(EndpointJudgeTest, TheKeyIsSentAndNeverSaid) {
  Start("good,401");
  options_.key_file = KeyFile(0600);
  const auto judge = MakeEndpointJudge(options_);
  ASSERT_TRUE(judge.ok()) << judge.status();
  EXPECT_THAT((*judge)->identity(), Not(HasSubstr("secret")));
  const absl::Status status = (*judge)->JudgeAll(Pairs(2), sink_);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--key-file"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
  EXPECT_EQ(server_->Requests()[0]["authorization"], "Bearer sk-secret-123");
}

TEST_F(EndpointJudgeTest, AKeyThatOthersCouldReadIsRefused) {
  Start("");
  options_.key_file = KeyFile(0644);
  EXPECT_THAT(std::string(Judge(1).message()), HasSubstr("others may read"));
  options_.key_file = KeyFile(0600);
  options_.url = "http://example.invalid/v1";
  EXPECT_THAT(std::string(MakeEndpointJudge(options_).status().message()),
              HasSubstr("is not encrypted"));
  options_.key_over_http = true;
  EXPECT_TRUE(MakeEndpointJudge(options_).ok());
}

TEST_F(EndpointJudgeTest, CertificatesAreChecked) {
  const std::string key = folder_ / "tls.key", certificate = folder_ / "tls.pem";
  const testing::Outcome made =
      testing::RunProgram({"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                           "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                           "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate});
  if (made.code != 0) GTEST_SKIP() << "openssl cannot make a certificate here: " << made.err;
  Start("");
  const JudgeServer server("", {certificate, key});
  options_.url = server.url();
  options_.retries = 0;
  EXPECT_FALSE(Judge(1).ok());
  EXPECT_TRUE(sink_.verdicts.empty());
  options_.ca_file = certificate;
  const absl::Status status = Judge(1);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(sink_.verdicts.size(), 1u);
}

TEST(EndpointUrlTest, WhatAUrlMustBe) {
  const auto url = ParseEndpointUrl("HTTPS://Host.Example:8443/V1/chat/completions/");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->completions, "https://host.example:8443/V1/chat/completions");
  EXPECT_EQ(url->identity, "https://host.example:8443/V1");
  EXPECT_TRUE(url->is_encrypted);
  EXPECT_FALSE(url->is_this_host);
  EXPECT_TRUE(ParseEndpointUrl("http://localhost:8000/v1")->is_this_host);
  EXPECT_TRUE(ParseEndpointUrl("http://127.0.0.1/v1")->is_this_host);
  EXPECT_TRUE(ParseEndpointUrl("http://[::1]:80/v1")->is_this_host);
  EXPECT_FALSE(ParseEndpointUrl("http://localhost.example/v1")->is_this_host);
  EXPECT_FALSE(ParseEndpointUrl("http://127.0.0.1.example:80/v1")->is_this_host);
  for (const char* bad : {"host/v1", "ftp://host/v1", "http://", "http:///v1", "http://:80/v1",
                          "http://127.0.0.1:/v1", "http://ho st/v1", "http://u:secret@host/v1",
                          "https://host/v1?key=secret", "http://host/#secret"}) {
    const auto status = ParseEndpointUrl(bad).status();
    EXPECT_FALSE(status.ok()) << bad;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret"))) << bad;
  }
}

TEST(EndpointIdentityTest, WhatDecidesAVerdictIsPartOfIt) {
  EndpointOptions options;
  options.url = "http://localhost:8000/v1/";
  options.chat.model = "m";
  options.prompt = DefaultJudgePrompt();
  const auto identity = [&] { return (*MakeEndpointJudge(options))->identity(); };
  const std::string first = identity();
  options.parallel = 9;
  options.retries = 1;
  options.url = "http://LOCALHOST:8000/v1";
  EXPECT_EQ(identity(), first);
  options.chat.max_tokens = 2;
  EXPECT_NE(identity(), first);
  options.chat.max_tokens = 1;
  options.prompt.first_token = "X";
  EXPECT_NE(identity(), first);
  options.prompt = DefaultJudgePrompt();
  options.url = "http://localhost:8001/v1";
  EXPECT_NE(identity(), first);
  options.known_as = "ours";
  const std::string named = identity();
  options.url = "http://localhost:8002/v1";
  EXPECT_EQ(identity(), named);
  options.chat.model = "";
  EXPECT_FALSE(MakeEndpointJudge(options).ok());
}

}  // namespace
}  // namespace fpo::train
