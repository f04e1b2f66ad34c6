#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "train/rows/preference_dataset.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using Kind = PreferenceRow::Kind;

PreferenceRow Row(const std::string& json, const std::string& format = "auto") {
  const auto row = ParsePreferenceRow(json, format);
  EXPECT_TRUE(row.ok()) << row.status();
  return row.ok() ? *row : PreferenceRow();
}

std::string Why(const std::string& json, const std::string& format = "auto") {
  const auto row = ParsePreferenceRow(json, format);
  EXPECT_TRUE(absl::IsInvalidArgument(row.status())) << json;
  return std::string(row.status().message());
}

TEST(PreferenceRowTest, Strings) {
  const auto row = Row(
      R"({"id":"x7","prompt":"p","chosen":"c","rejected":"r","score_chosen":8,"score_rejected":3.5})");
  EXPECT_EQ(row.kind, Kind::kStrings);
  EXPECT_EQ(row.id, "x7");
  EXPECT_EQ(row.rejected, "r");
  EXPECT_EQ(row.chosen_score, 8);
  EXPECT_FALSE(Row(R"({"prompt":"p","chosen":"c"})").has_rejected);
  EXPECT_EQ(Row(R"({"id":17,"prompt":"p","chosen":"c"})").id, "17");
}

TEST(PreferenceRowTest, EveryExampleOfTheDocumentationIsRead) {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  if (root == nullptr) GTEST_SKIP() << "set FPO_SOURCE_DIR";
  std::ifstream page(std::string(root) + "/docs/data.md");
  int examples = 0;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (absl::StartsWith(line, "```")) {
      inside = line == "```json";
    } else if (inside) {
      const auto row = ParsePreferenceRow(line, "auto");
      EXPECT_TRUE(row.ok()) << line << ": " << row.status();
      EXPECT_EQ(row->drop_reason + row->pair_drop_reason, "") << line;
      ++examples;
    }
  }
  EXPECT_EQ(examples, 28);
}

TEST(PreferenceRowTest, MessagesWithCommonHead) {
  // UltraFeedback binarized: the prompt stands as a string beside whole conversations.
  const auto row = Row(
      R"({"prompt":"hi","chosen":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}],
      "rejected":[{"role":"user","content":"hi"},{"role":"assistant","content":"no"}]})");
  EXPECT_EQ(row.kind, Kind::kMessages);
  EXPECT_THAT(row.prompt_messages, ElementsAre(Message{"user", "hi"}));
  EXPECT_THAT(row.chosen_messages, ElementsAre(Message{"assistant", "yes"}));
  EXPECT_THAT(row.rejected_messages, ElementsAre(Message{"assistant", "no"}));
}

TEST(PreferenceRowTest, IdenticalConversationsKeepTheirResponse) {
  const auto row =
      Row(R"({"chosen":[{"role":"user","content":"hi"},{"role":"assistant","content":"a"}],
      "rejected":[{"role":"user","content":"hi"},{"role":"assistant","content":"a"}]})");
  EXPECT_EQ(row.prompt_messages.size(), 1u);
  EXPECT_EQ(row.chosen_messages, row.rejected_messages);
}

TEST(PreferenceRowTest, ExplicitPromptMessages) {
  const auto row = Row(R"({"prompt":[{"role":"user","content":"hi"}],
      "chosen":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}],
      "rejected":[{"role":"assistant","content":"no"}]})");
  EXPECT_THAT(row.chosen_messages, ElementsAre(Message{"assistant", "yes"}));
  EXPECT_THAT(row.rejected_messages, ElementsAre(Message{"assistant", "no"}));
}

TEST(PreferenceRowTest, Transcript) {
  const auto row = Row(R"({"chosen":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: yes",
      "rejected":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: no"})");
  EXPECT_EQ(row.kind, Kind::kTranscript);
  EXPECT_EQ(row.prompt, "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:");
  EXPECT_EQ(row.chosen, " yes");
  EXPECT_THAT(row.prompt_messages, ElementsAre(Message{"user", " a"}, Message{"assistant", " b"},
                                               Message{"user", " c"}));
  const auto split =
      Row(R"({"prompt":"\n\nHuman: a\n\nAssistant:","chosen":" yes","rejected":" no"})");
  EXPECT_EQ(split.kind, Kind::kTranscript);
  EXPECT_EQ(split.rejected, " no");
  EXPECT_EQ(
      Row(R"({"chosen":"\n\nHuman: a\n\nAssistant: x","rejected":"\n\nHuman: b\n\nAssistant: y"})")
          .pair_drop_reason,
      "no_shared_prompt");
}

TEST(PreferenceRowTest, IdsTextAndConversations) {
  const auto ids = Row(R"({"prompt_ids":[2,5],"chosen_ids":[6],"rejected_ids":[7]})");
  EXPECT_EQ(ids.kind, Kind::kIds);
  EXPECT_THAT(ids.prompt_ids, ElementsAre(2, 5));
  EXPECT_THAT(Row(R"({"prompt_ids":[2],"response_ids":[6]})").chosen_ids, ElementsAre(6));
  EXPECT_EQ(Row(R"({"text":"once"})").kind, Kind::kText);
  const auto sft =
      Row(R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})");
  EXPECT_EQ(sft.chosen_messages.size(), 2u);
  EXPECT_TRUE(sft.prompt_messages.empty());
}

TEST(PreferenceRowTest, ExtraColumnsDoNotMatter) {
  const auto strings = Row(R"({"prompt":"p","chosen":"c","rejected":"r","messages":[{"role":"user",
      "content":"p"},{"role":"assistant","content":"c"}],"completions":[{"response":"x"}],"data":["a"],
      "text":"t","output_1":"a","output_2":"b","label":2,"meta":{"a":[{"b":null}]}})");
  EXPECT_EQ(strings.kind, Kind::kStrings);
  EXPECT_EQ(strings.prompt + strings.chosen + strings.rejected, "pcr");
  const auto lists = Row(R"({"prompt":"p","chosen":[{"role":"assistant","content":"c"}],
      "rejected":[{"role":"assistant","content":"r"}],"messages":[{"role":"user","content":"p"},
      {"role":"assistant","content":"c"}]})");
  EXPECT_THAT(lists.prompt_messages, ElementsAre(Message{"user", "p"}));
}

TEST(PreferenceRowTest, SaysWhatIsWrong) {
  EXPECT_TRUE(absl::StartsWith(Why("nope"), "not JSON: parsing value - invalid literal"));
  EXPECT_EQ(Why("[1]"), "a row must be a JSON object, this is array");
  EXPECT_EQ(Why(R"({"prompt":"p"})"), "no field 'chosen'; the row has the field \"prompt\"");
  EXPECT_TRUE(absl::StrContains(Why(R"({"prompt":"p","chosen":5})"), "'chosen' is number"));
  EXPECT_TRUE(absl::StrContains(Why(R"({"prompt_ids":[1],"chosen_ids":[-4]})"), "-4"));
  EXPECT_TRUE(absl::StrContains(Why(R"({"messages":[{"role":"user"}]})"), "message 0"));
  EXPECT_TRUE(
      absl::StrContains(Why(R"({"chosen":"x","rejected":"y"})", "transcript"), "Assistant"));
  EXPECT_TRUE(absl::StrContains(Why("{}", "csv"), "data.format csv"));
}

TEST(PreferenceRowTest, SurvivesDamage) {
  const std::string row =
      R"({"id":"x","prompt":[{"role":"user","content":"hi"}],"chosen":[{"role":"assistant","content":"a"}],"rejected":"n","score_chosen":1})";
  const std::string transcript =
      R"({"chosen":"\n\nHuman: a\n\nAssistant: x","rejected":"\n\nHuman: b\n\nAssistant: y"})";
  for (const std::string& json : {row, transcript}) {
    FuzzByMutation(json, 3000,
                   [](const std::string& bytes) { (void)ParsePreferenceRow(bytes, "auto"); });
  }
}

}  // namespace
}  // namespace fpo::train
