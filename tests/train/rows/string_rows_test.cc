#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/rows/preference_dataset.h"
#include "train/rows/row_readers.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using Kind = PreferenceRow::Kind;

PreferenceRow StringRow(const std::string& json) {
  const auto row = ParsePreferenceRow(json, "auto");
  EXPECT_TRUE(row.ok()) << row.status();
  return row.ok() ? *row : PreferenceRow();
}

TEST(StringRowsTest, PromptAndCompletion) {
  const auto row = StringRow(R"({"prompt":"The capital of France is","completion":" Paris."})");
  EXPECT_EQ(row.kind, Kind::kStrings);
  EXPECT_EQ(row.chosen, " Paris.");
  EXPECT_FALSE(row.has_rejected);
  EXPECT_EQ(StringRow(R"({"prompt":"p","response":"r"})").chosen, "r");
}

TEST(StringRowsTest, ImplicitPromptAsInTrl) {
  auto row = StringRow(R"({"chosen":"The sky is blue.","rejected":"The sky is green."})");
  EXPECT_EQ(row.kind, Kind::kStrings);
  EXPECT_EQ(row.prompt, "The sky is");
  EXPECT_EQ(row.chosen, " blue.");
  EXPECT_EQ(row.rejected, " green.");
  // A character that differs in its last byte only stays whole.
  row = StringRow("{\"chosen\":\"a\xC3\xA9\",\"rejected\":\"a\xC3\xA8\"}");
  EXPECT_EQ(row.prompt, "a");
  EXPECT_EQ(StringRow(R"({"chosen":"ab","rejected":"abc"})").prompt, "a")
      << "each side keeps a character";
  EXPECT_EQ(StringRow(R"({"chosen":"x","rejected":"y"})").pair_drop_reason, "no_shared_prompt");
  EXPECT_EQ(StringRow(R"({"chosen":"same","rejected":"same"})").pair_drop_reason, "identical_pair");
}

TEST(StringRowsTest, InstructionsAreTurns) {
  const auto alpaca = StringRow(
      R"({"instruction":"Add.","input":"1 2","output":"3","text":"Below is an instruction"})");
  EXPECT_EQ(alpaca.kind, Kind::kMessages);
  EXPECT_THAT(alpaca.prompt_messages, ElementsAre(Message{"user", "Add.\n1 2"}));
  EXPECT_THAT(alpaca.chosen_messages, ElementsAre(Message{"assistant", "3"}));
  const auto orca =
      StringRow(R"({"system":"Be brief.","question":"q","chosen":"c","rejected":"r"})");
  EXPECT_THAT(orca.prompt_messages,
              ElementsAre(Message{"system", "Be brief."}, Message{"user", "q"}));
  EXPECT_THAT(orca.rejected_messages, ElementsAre(Message{"assistant", "r"}));
  EXPECT_EQ(StringRow(R"({"question":"q","answer":"a"})").chosen_messages[0].content, "a");
  EXPECT_EQ(StringRow(R"({"instruction":"i","chosen_response":"c","rejected_response":"r"})")
                .rejected_messages[0]
                .content,
            "r");
  const auto dolly =
      StringRow(R"({"instruction":"i","context":"about","response":"r","category":"closed_qa"})");
  EXPECT_EQ(dolly.prompt_messages[0].content, "i\nabout");
  const auto exchange = StringRow(R"({"question":"q","response_j":"better","response_k":"worse"})");
  EXPECT_EQ(exchange.chosen_messages[0].content, "better");
  EXPECT_EQ(exchange.rejected_messages[0].content, "worse");
  const auto history =
      StringRow(R"({"instruction":"i","output":"o","system":"s","history":[["q","a"]]})");
  EXPECT_THAT(history.prompt_messages,
              ElementsAre(Message{"system", "s"}, Message{"user", "q"}, Message{"assistant", "a"},
                          Message{"user", "i"}));
}

TEST(StringRowsTest, ASystemColumnMakesTurns) {
  const auto row = StringRow(R"({"prompt":"p","chosen":"c","rejected":"r","system_prompt":"s"})");
  EXPECT_EQ(row.kind, Kind::kMessages);
  EXPECT_THAT(row.prompt_messages, ElementsAre(Message{"system", "s"}, Message{"user", "p"}));
  EXPECT_EQ(StringRow(R"({"prompt":"p","chosen":"c","rejected":"r","system":""})").kind,
            Kind::kStrings);
}

TEST(StringRowsTest, TranscriptsMayLackTheirFirstEmptyLine) {
  const auto row = StringRow(
      R"({"chosen":"Human: a\n\nAssistant: yes","rejected":"Human: a\n\nAssistant: no"})");
  EXPECT_EQ(row.kind, Kind::kTranscript);
  EXPECT_THAT(row.prompt_messages, ElementsAre(Message{"user", " a"}));
  EXPECT_EQ(row.rejected, " no");
}

TEST(StringRowsTest, TranscriptsMayRepeatTheirPrompt) {
  const auto row = StringRow(
      R"({"prompt":"\n\nHuman: a\n\nAssistant:","chosen":"\n\nHuman: a\n\nAssistant: yes",
          "rejected":"Human: a\n\nAssistant: no"})");
  EXPECT_THAT(row.prompt_messages, ElementsAre(Message{"user", " a"}));
  EXPECT_EQ(row.chosen, " yes");
  EXPECT_EQ(row.rejected, " no");
}

TEST(StringRowsTest, TextCountsOnlyWithoutAnythingElse) {
  EXPECT_EQ(StringRow(R"({"text":"once","timestamp":1,"url":"x"})").kind, Kind::kText);
  EXPECT_EQ(StringRow(R"({"text":"once","prompt":"p","completion":"c"})").kind, Kind::kStrings);
}

}  // namespace
}  // namespace fpo::train
