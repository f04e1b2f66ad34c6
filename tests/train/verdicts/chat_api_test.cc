#include "train/verdicts/chat_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ApiJson = nlohmann::json;

constexpr char kReply[] =
    R"({"choices": [{"message": {"role": "assistant", "content": "A"}, "logprobs": {"content": [)"
    R"({"token": "A", "logprob": -0.1, "top_logprobs": [{"token": "A", "logprob": -0.1},)"
    R"({"token": "B", "logprob": -2.5}]}]}}], "usage": {"prompt_tokens": 12, )"
    R"("completion_tokens": 1}})";

ChatOutcome Answered(int status, const std::string& body) {
  return OutcomeOf(HttpResponse{status, body, absl::ZeroDuration()});
}

TEST(ChatApiTest, ARequestAsksForWhatItNeeds) {
  ChatSettings settings;
  settings.model = "judge \"1\"";
  const ApiJson body = ApiJson::parse(ChatRequestBody(settings, {{"user", "x\ny"}}));
  EXPECT_EQ(body["model"], "judge \"1\"");
  EXPECT_EQ(body["messages"], ApiJson::parse(R"([{"role": "user", "content": "x\ny"}])"));
  EXPECT_EQ(body["max_tokens"], 1);
  EXPECT_EQ(body["logprobs"], true);
  EXPECT_EQ(body["temperature"], 0);
  settings.max_tokens = 500;
  EXPECT_FALSE(ApiJson::parse(ChatRequestBody(settings, {})).contains("logprobs"));
}

TEST(ChatApiTest, AReplyIsReadWhole) {
  const auto reply = ParseChatReply(kReply);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->words, "A");
  ASSERT_EQ(reply->first_token.size(), 2u);
  EXPECT_EQ(reply->first_token[1], (std::pair<std::string, double>("B", -2.5)));
  EXPECT_EQ(reply->prompt_tokens, 12);
  EXPECT_EQ(reply->answer_tokens, 1);
}

TEST(ChatApiTest, WhatAServerLeavesOutIsMissed) {
  const auto bare = ParseChatReply(
      R"({"choices": [{"message": {"content": "B"}, "logprobs": null}], "usage": null})");
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_TRUE(bare->first_token.empty());
  EXPECT_EQ(bare->prompt_tokens, 0);
  const auto error = [](const std::string& body) {
    return std::string(ParseChatReply(body).status().message());
  };
  EXPECT_THAT(error("{}"), HasSubstr("no \"choices\"; it begins: {}"));
  EXPECT_THAT(error(R"({"choices": []})"), HasSubstr("no \"choices\""));
  EXPECT_THAT(error(R"({"choices": [{"message": {"content": null}}]})"), HasSubstr("\"content\""));
  EXPECT_THAT(error("<html>\nbad gateway"), HasSubstr("it begins: <html> bad gateway"));
}

TEST(ChatApiTest, WhichFailuresMayPass) {
  for (const int status : {408, 409, 425, 429, 500, 502, 503, 504, 529}) {
    EXPECT_TRUE(Answered(status, "").may_succeed) << status;
  }
  for (const int status : {301, 400, 401, 403, 404, 413, 422}) {
    EXPECT_FALSE(Answered(status, "").may_succeed) << status;
  }
  EXPECT_TRUE(Answered(200, "{\"choices\": [").may_succeed);  // cut by something on the way
  EXPECT_FALSE(Answered(200, "{\"object\": \"list\"}").may_succeed);
  EXPECT_TRUE(OutcomeOf(absl::UnavailableError("refused")).may_succeed);
  EXPECT_TRUE(OutcomeOf(absl::DeadlineExceededError("slow")).may_succeed);
  EXPECT_FALSE(OutcomeOf(absl::InvalidArgumentError("certificate")).may_succeed);
  EXPECT_TRUE(Answered(200, kReply).reply.has_value());
}

TEST(ChatApiTest, ErrorsQuoteTheServer) {
  const auto error = [](int status, const std::string& body) {
    return std::string(Answered(status, body).error.message());
  };
  EXPECT_EQ(error(429, R"({"error": {"message": "slow\ndown", "type": "x"}})"),
            "the server answers 429: slow down");
  EXPECT_THAT(error(401, R"({"error": "no"})"), HasSubstr("401: no (is the key"));
  EXPECT_THAT(error(404, R"({"message": "no model"})"), HasSubstr("no model (the URL ends before"));
  EXPECT_THAT(error(302, ""), HasSubstr("redirects are not followed"));
  EXPECT_LT(error(500, std::string(100000, 'x')).size(), 400u);
}

TEST(ChatApiTest, DamagedBytesReturn) {
  FuzzByMutation(kReply, 2000, [](const std::string& bytes) { (void)Answered(200, bytes); });
}

}  // namespace
}  // namespace fpo::train
