#include "train/generate/chat_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/generate/tiny_text_model.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

class ChatSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = GenerationModel::Open({tiny_.path(), "float32", "gemma"});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    ASSERT_TRUE(model_->Load().ok());
  }
  ChatSession Make(int64_t context = 400, double temperature = 0) {
    ChatSession::Options options;
    options.context = context;
    options.max_new_tokens = 9;
    options.sampling.temperature = temperature;
    return ChatSession(*model_, options);
  }
  static ChatSession::Reply Ask(ChatSession& session, const std::string& question) {
    const auto reply = session.Ask(question, {});
    EXPECT_TRUE(reply.ok()) << reply.status();
    return *reply;
  }

  TinyTextModel tiny_;
  std::unique_ptr<GenerationModel> model_;
};

TEST_F(ChatSessionTest, PiecesAddUpToTheReply) {
  ChatSession session = Make();
  std::string text;
  ChatSession::Callbacks callbacks;
  callbacks.on_text = [&](const std::string& piece) { text += piece; };
  const auto reply = session.Ask("the model", callbacks);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(text, reply->text);
  EXPECT_FALSE(text.empty());
}

TEST_F(ChatSessionTest, WhatWasReadIsNotReadAgain) {
  ChatSession session = Make();
  const ChatSession::Reply first = Ask(session, "the model the model the model");
  const ChatSession::Reply second = Ask(session, "user");
  EXPECT_GT(first.read, 15);
  EXPECT_LT(second.read, first.read + first.tokens);
  // The same as a session that reads all of it at once.
  ChatSession whole = Make();
  Ask(whole, "the model the model the model");
  whole.Reset();
  Ask(whole, "the model the model the model");
  EXPECT_EQ(Ask(whole, "user").text, second.text);
}

TEST_F(ChatSessionTest, ResetAndSystemBeginAnew) {
  ChatSession session = Make();
  const std::string first = Ask(session, "the model").text;
  Ask(session, "user");
  session.Reset();
  EXPECT_EQ(Ask(session, "the model").text, first);
  session.SetSystem("the user");
  const std::string other = Ask(session, "the model").text;
  session.SetSystem("");
  EXPECT_EQ(Ask(session, "the model").text, first);
  EXPECT_NE(other, first);
}

TEST_F(ChatSessionTest, AnInterruptKeepsWhatWasSaid) {
  ChatSession session = Make();
  int tokens = 0;
  ChatSession::Callbacks callbacks;
  callbacks.should_stop = [&] { return ++tokens > 4; };
  const auto cut = session.Ask("the model", callbacks);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_TRUE(cut->interrupted);
  const std::string whole = Ask(*std::make_unique<ChatSession>(Make()), "the model").text;
  EXPECT_EQ(whole.substr(0, cut->text.size()), cut->text);
  EXPECT_LT(Ask(session, "user").read, 40);
}

TEST_F(ChatSessionTest, AFullContextIsAnErrorOfTheQuestionOnly) {
  ChatSession session = Make(60);
  absl::Status full;
  for (int i = 0; i < 20 && full.ok(); ++i) full = session.Ask("the model", {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(full));
  EXPECT_THAT(std::string(full.message()), HasSubstr("--context is 60"));
  session.Reset();
  Ask(session, "the model");
}

}  // namespace
}  // namespace fpo::train
