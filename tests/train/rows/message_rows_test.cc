#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/rows/preference_dataset.h"
#include "train/rows/row_readers.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Message kHi{"user", "hi"}, kYes{"assistant", "yes"}, kNo{"assistant", "no"};

PreferenceRow MessageRow(const std::string& json) {
  const auto row = ParsePreferenceRow(json, "auto");
  EXPECT_TRUE(row.ok()) << row.status();
  return row.ok() ? *row : PreferenceRow();
}

// The row asks "hi" and is answered "yes", or "no".
void ExpectPair(const std::string& json) {
  const PreferenceRow row = MessageRow(json);
  EXPECT_EQ(row.kind, PreferenceRow::Kind::kMessages) << json;
  EXPECT_EQ(row.drop_reason + row.pair_drop_reason, "") << json;
  EXPECT_TRUE(row.has_rejected) << json;
  EXPECT_THAT(row.prompt_messages, ElementsAre(kHi)) << json;
  EXPECT_THAT(row.chosen_messages, ElementsAre(kYes)) << json;
  EXPECT_THAT(row.rejected_messages, ElementsAre(kNo)) << json;
}

TEST(MessageRowsTest, PairsOfAllTools) {
  const std::string yes = R"({"role":"assistant","content":"yes"})";
  const std::string no = R"({"role":"assistant","content":"no"})";
  const std::string hi = R"({"role":"user","content":"hi"})";
  ExpectPair(R"({"prompt":"hi","chosen":[)" + yes + R"(],"rejected":[)" + no + "]}");
  ExpectPair(R"({"prompt":[)" + hi + R"(],"chosen":)" + yes + R"(,"rejected":"no"})");
  ExpectPair(R"({"chosen":[)" + hi + "," + yes + R"(],"rejected":[)" + hi + "," + no + "]}");
  ExpectPair(R"({"prompt":"hi","messages":[)" + hi + "," + yes + R"(],"chosen":[)" + hi + "," +
             yes + R"(],"rejected":[)" + hi + "," + no + R"(],"score_chosen":8.0})");
  ExpectPair(
      R"({"conversations":[{"from":"human","value":"hi"}],"chosen":{"from":"gpt","value":"yes"},
      "rejected":{"from":"gpt","value":"no"}})");
  ExpectPair(R"({"messages":[)" + hi + R"(],"chosen":"yes","rejected":"no"})");
  ExpectPair(R"({"messages":[)" + hi + "," + yes + R"(],"rejected_response":"no"})");
  ExpectPair(R"({"input":{"messages":[)" + hi + R"(],"tools":[]},"preferred_output":[)" + yes +
             R"(],"non_preferred_output":[)" + no + "]}");
  ExpectPair(R"({"chosen_conversations":[)" + hi + "," + yes + R"(],"rejected_conversations":[)" +
             hi + "," + no + "]}");
  ExpectPair(R"({"prompt":)" + hi + R"(,"chosen":)" + yes + R"(,"rejected":)" + no + "}");
  ExpectPair(R"({"question":"hi","chosen":[)" + yes + R"(],"rejected":[)" + no + "]}");
}

TEST(MessageRowsTest, CompletionsAsMessages) {
  const auto row = MessageRow(R"({"prompt":[{"role":"user","content":"hi"}],
      "completion":[{"role":"assistant","content":"yes"}]})");
  EXPECT_THAT(row.prompt_messages, ElementsAre(kHi));
  EXPECT_THAT(row.chosen_messages, ElementsAre(kYes));
  EXPECT_FALSE(row.has_rejected);
}

TEST(MessageRowsTest, Conversations) {
  for (
      const char* json :
      {R"({"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}]})",
       R"({"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"yes"}],"id":"x"})",
       R"({"prompt":"hi","prompt_id":"1","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}]})",
       R"({"conversation":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}]})",
       R"({"id":"0","data":["hi","yes"]})"}) {
    const auto row = MessageRow(json);
    EXPECT_THAT(row.chosen_messages, ElementsAre(kHi, kYes)) << json;
    EXPECT_THAT(row.prompt_messages, IsEmpty()) << json;
  }
  const auto system = MessageRow(
      R"({"system":"s","conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"yes"}]})");
  EXPECT_THAT(system.chosen_messages, ElementsAre(Message{"system", "s"}, kHi, kYes));
}

TEST(MessageRowsTest, ALabelJudgesTheLastAnswer) {
  const std::string messages =
      R"({"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}],"label":)";
  const auto wanted = MessageRow(messages + "true}");
  EXPECT_EQ(wanted.drop_reason, "");
  EXPECT_THAT(wanted.prompt_messages, ElementsAre(kHi));
  EXPECT_THAT(wanted.chosen_messages, ElementsAre(kYes));
  EXPECT_EQ(MessageRow(messages + "false}").drop_reason, "unwanted_response");
  EXPECT_EQ(MessageRow(R"({"prompt":"p","completion":"c","label":false})").drop_reason,
            "unwanted_response");
  EXPECT_EQ(MessageRow(R"({"prompt":"p","completion":"c","label":1})").drop_reason, "");
  for (const char* bad : {"0", "0.0", "-1", R"("false")", R"("False")", R"("bad")"}) {
    EXPECT_EQ(MessageRow(R"({"prompt":"p","completion":"c","label":)" + std::string(bad) + "}")
                  .drop_reason,
              "unwanted_response")
        << bad;
  }
  for (const char* other : {"null", "2", R"("true")", R"("sports")"}) {
    EXPECT_EQ(MessageRow(R"({"prompt":"p","completion":"c","label":)" + std::string(other) + "}")
                  .drop_reason,
              "")
        << other;
  }
  EXPECT_EQ(MessageRow(R"({"prompt":"p","chosen":"c","rejected":"r","label":false})").drop_reason,
            "");
}

TEST(MessageRowsTest, ResponsesThatPartEarlier) {
  const auto row =
      MessageRow(R"({"chosen":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},
      {"role":"user","content":"more"},{"role":"assistant","content":"a"}],
      "rejected":[{"role":"user","content":"hi"},{"role":"assistant","content":"no"},
      {"role":"user","content":"more"},{"role":"assistant","content":"a"}]})");
  EXPECT_THAT(row.prompt_messages, ElementsAre(kHi));
  EXPECT_EQ(row.chosen_messages.size(), 3u);
}

TEST(MessageRowsTest, WhatTextCannotGiveHasItsOwnReason) {
  const std::string rest =
      R"(,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}]})";
  EXPECT_EQ(MessageRow(R"({"images":["a.png"])" + rest).drop_reason, "images_unsupported");
  EXPECT_EQ(MessageRow(R"({"images":[])" + rest).drop_reason, "");
  EXPECT_EQ(MessageRow(R"({"tools":"[{}]")" + rest).drop_reason, "tool_calls_unsupported");
  EXPECT_EQ(MessageRow(R"({"functions":[{"name":"f"}])" + rest).drop_reason,
            "tool_calls_unsupported");
  EXPECT_EQ(MessageRow(R"({"tools":"[]")" + rest).drop_reason, "");
  EXPECT_EQ(
      MessageRow(
          R"({"input":{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function"}]},
      "preferred_output":[{"role":"assistant","content":"a"}],"non_preferred_output":[{"role":"assistant","content":"b"}]})")
          .drop_reason,
      "tool_calls_unsupported");
}

}  // namespace
}  // namespace fpo::train
