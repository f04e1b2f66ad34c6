#include "train/rows/message_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nlohmann/json.hpp"

namespace fpo::train {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

MessageList ListOf(const std::string& text) {
  const auto list = MessagesOf(json::parse(text), "messages");
  EXPECT_TRUE(list.ok()) << list.status();
  return list.ok() ? *list : MessageList();
}

std::string MessageDropReason(const std::string& message) {
  return ListOf("[" + message + "]").drop_reason;
}

std::string MessageFault(const std::string& text) {
  return std::string(MessagesOf(json::parse(text), "messages").status().message());
}

TEST(MessageJsonTest, RolesOfAllTools) {
  const auto list = ListOf(R"([{"role":"developer","content":"s"},{"from":"human","value":"h"},
      {"from":"gpt","value":"g"},{"role":"User","content":"u"},{"role":"model","content":"m"}])");
  EXPECT_EQ(list.drop_reason, "");
  EXPECT_THAT(list.messages,
              ElementsAre(Message{"system", "s"}, Message{"user", "h"}, Message{"assistant", "g"},
                          Message{"user", "u"}, Message{"assistant", "m"}));
  EXPECT_EQ(ListOf(R"({"from":"gpt","value":"g"})").messages[0].role, "assistant") << "one message";
  EXPECT_EQ(ListOf(R"("text")").messages[0], (Message{"assistant", "text"}));
}

TEST(MessageJsonTest, PartsAreJoinedAndKept) {
  const auto one = ListOf(R"([{"role":"user","content":[{"type":"text","text":"hi"}]}])");
  EXPECT_EQ(one.messages[0], (Message{"user", "hi"}));
  const auto two = ListOf(R"([{"role":"user","content":[{"type":"input_text","text":"a "},"b"]}])");
  EXPECT_EQ(two.messages[0].content, "a b");
  EXPECT_THAT(two.messages[0].parts, ElementsAre("a ", "b"));
}

TEST(MessageJsonTest, WhatIsNoTextHasItsOwnReason) {
  EXPECT_EQ(MessageDropReason(
                R"({"role":"user","content":[{"type":"image"},{"type":"text","text":"a"}]})"),
            "images_unsupported");
  EXPECT_EQ(MessageDropReason(
                R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]})"),
            "images_unsupported");
  EXPECT_EQ(MessageDropReason(R"({"role":"user","content":[{"type":"input_audio"}]})"),
            "audio_unsupported");
  const char* call = "tool_calls_unsupported";
  EXPECT_EQ(MessageDropReason(R"({"role":"assistant","content":null,"tool_calls":[{"id":"1"}]})"),
            call);
  EXPECT_EQ(MessageDropReason(R"({"role":"assistant","content":"","tool_calls":[{"id":"1"}]})"),
            call);
  EXPECT_EQ(MessageDropReason(R"({"role":"assistant","tool_calls":[{"id":"1"}]})"), call);
  EXPECT_EQ(MessageDropReason(R"({"role":"tool","content":"20C"})"), call);
  EXPECT_EQ(MessageDropReason(R"({"from":"observation","value":"20C"})"), call);
  EXPECT_EQ(MessageDropReason(R"({"role":"assistant","content":"a","tool_calls":[]})"), "");
  EXPECT_EQ(MessageDropReason(R"({"role":"assistant","content":"a","tool_calls":null})"), "");
  EXPECT_EQ(MessageDropReason(R"({"role":"user","content":"a","images":["x.png"]})"),
            "images_unsupported");
  EXPECT_EQ(MessageDropReason(R"({"from":"human","value":"a","audio":{"path":"x"}})"),
            "audio_unsupported");
  EXPECT_EQ(MessageDropReason(R"({"role":"user","content":"a","images":[],"audio":null})"), "");
  EXPECT_EQ(MessageDropReason(R"({"role":"narrator","content":"a"})"), "unknown_role");
  EXPECT_EQ(MessageDropReason(R"({"role":"assistant","content":null})"), "no_content");
}

TEST(MessageJsonTest, TurnsThatAreContextOnly) {
  EXPECT_FALSE(ListOf(R"([{"role":"assistant","content":"a","weight":0}])").messages[0].trained);
  EXPECT_FALSE(ListOf(R"([{"from":"gpt","value":"a","train":false}])").messages[0].trained);
  EXPECT_TRUE(ListOf(R"([{"role":"assistant","content":"a","weight":1}])").messages[0].trained);
}

TEST(MessageJsonTest, SaysWhatIsNoMessage) {
  EXPECT_THAT(MessageFault(R"([{"role":"assistant","content":"a","weight":0.5}])"),
              HasSubstr("has the weight 0.5"));
  EXPECT_THAT(MessageFault("5"), HasSubstr("field 'messages' is number, expected a list"));
  EXPECT_THAT(MessageFault(R"([{"role":"user","content":"a"},"b"])"),
              HasSubstr("message 1 of 'messages' is string"));
  EXPECT_THAT(MessageFault(R"([{"role":"user"}])"), HasSubstr("has the fields \"role\", expected"));
  EXPECT_THAT(MessageFault(R"([{"role":5,"content":"a"}])"), HasSubstr("a role that is number"));
  EXPECT_THAT(MessageFault(R"([{"role":"user","content":5}])"),
              HasSubstr("a content that is number"));
  EXPECT_THAT(MessageFault(R"([{"role":"user","content":[{"type":"mystery"}]}])"),
              HasSubstr("neither a text"));
}

}  // namespace
}  // namespace fpo::train
