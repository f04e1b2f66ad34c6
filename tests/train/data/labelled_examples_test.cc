#include "train/data/labelled_examples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/rows/preference_dataset.h"

namespace fpo::train {
namespace {

std::vector<PreferenceRow> Of(const char* json) {
  auto row = ParsePreferenceRow(json, "auto");
  EXPECT_TRUE(row.ok()) << row.status();
  return LabelledExamples(*std::move(row));
}

TEST(LabelledExamples, ALabelledRowIsOne) {
  for (const char* label : {"true", "1", "\"True\"", "\"desirable\""}) {
    const auto rows =
        Of((std::string(R"({"prompt":"p","completion":" c","label":)") + label + "}").c_str());
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].drop_reason, "") << label;
    EXPECT_EQ(rows[0].label, true) << label;
  }
  const auto bad = Of(R"({"prompt":"p","completion":" c","label":false})");
  EXPECT_EQ(bad[0].drop_reason, "") << "SFT drops it, KTO learns from it";
  EXPECT_EQ(bad[0].label, false);
  EXPECT_EQ(bad[0].chosen, " c");
}

TEST(LabelledExamples, APairIsTwo) {
  const auto rows = Of(R"({"prompt":"p","chosen":" c","rejected":" r"})");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].chosen, " c");
  EXPECT_EQ(rows[0].label, true);
  EXPECT_EQ(rows[1].chosen, " r");
  EXPECT_EQ(rows[1].label, false);
  for (const PreferenceRow& row : rows) EXPECT_FALSE(row.has_rejected);
  const auto ids = Of(R"({"prompt_ids":[2],"chosen_ids":[5],"rejected_ids":[6]})");
  EXPECT_THAT(ids.at(1).chosen_ids, ::testing::ElementsAre(6));
  const auto turns = Of(R"({"prompt":[{"role":"user","content":"p"}],
      "chosen":[{"role":"assistant","content":"c"}],
      "rejected":[{"role":"assistant","content":"r"}]})");
  EXPECT_EQ(turns.at(1).chosen_messages.at(0).content, "r");
}

TEST(LabelledExamples, OthersSayWhyTheyAreDropped) {
  EXPECT_EQ(Of(R"({"prompt":"p","completion":" c"})").at(0).drop_reason, "no_label");
  EXPECT_EQ(Of(R"({"text":"once"})").at(0).drop_reason, "no_label");
  EXPECT_EQ(
      Of(R"({"prompt":"p","completion":" c","label":false,"images":["x"]})").at(0).drop_reason,
      "images_unsupported");
  const auto several = Of(R"({"prompt":"p","chosen":[{"role":"assistant","content":"c"},
      {"role":"user","content":"u"},{"role":"assistant","content":"d"}],"rejected":"r"})");
  ASSERT_EQ(several.size(), 1u);
  EXPECT_EQ(several[0].drop_reason, "responses_of_several_turns");
  const auto apart =
      Of(R"({"chosen":"\n\nHuman: a\n\nAssistant: x","rejected":"\n\nHuman: b\n\nAssistant: y"})");
  EXPECT_EQ(apart.at(0).drop_reason, "no_shared_prompt");
}

}  // namespace
}  // namespace fpo::train
