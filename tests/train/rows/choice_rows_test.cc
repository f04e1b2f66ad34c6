#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "train/rows/preference_dataset.h"
#include "train/rows/row_readers.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

// "chosen|rejected" of a row, or why it is dropped or malformed.
std::string Choice(const std::string& json) {
  const auto row = ParsePreferenceRow(json, "auto");
  if (!row.ok()) return std::string(row.status().message());
  if (!row->drop_reason.empty()) return row->drop_reason;
  if (!row->pair_drop_reason.empty()) return row->pair_drop_reason;
  const bool strings = row->kind == PreferenceRow::Kind::kStrings;
  return strings
             ? row->chosen + "|" + row->rejected
             : row->chosen_messages.back().content + "|" + row->rejected_messages.back().content;
}

TEST(ChoiceRowsTest, TwoResponsesAndWhichIsBetter) {
  const auto llmbar = [](const char* label) {
    return Choice(
        absl::StrCat(R"({"input":"q","output_1":"a","output_2":"b","label":)", label, "}"));
  };
  EXPECT_EQ(llmbar("1"), "a|b");
  EXPECT_EQ(llmbar("2"), "b|a");
  EXPECT_EQ(llmbar("0"), "tie");
  EXPECT_THAT(llmbar("3"), HasSubstr("'label' is 3, which names neither response"));
  const auto panda = [](const char* votes) {
    return Choice(absl::StrCat(R"({"instruction":"i","input":"","response1":"a","response2":"b",)",
                               votes, "}"));
  };
  EXPECT_EQ(panda(R"("annotator1":2,"annotator2":1,"annotator3":2)"), "b|a");
  EXPECT_EQ(panda(R"("annotator1":1,"annotator2":0,"annotator3":0)"), "a|b");
  EXPECT_EQ(panda(R"("annotator1":1,"annotator2":2,"annotator3":0)"), "tie");
  EXPECT_THAT(Choice(R"({"instruction":"i","response1":true,"response2":"b","annotator1":1})"),
              HasSubstr("field 'response1' is boolean, expected a text"));
  const auto shp = [](const char* label) {
    return Choice(absl::StrCat(R"({"history":"h","human_ref_A":"a","human_ref_B":"b","labels":)",
                               label, "}"));
  };
  EXPECT_EQ(shp("1"), "a|b");
  EXPECT_EQ(shp("0"), "b|a");
  EXPECT_EQ(Choice(R"({"prompt":"p","response_0":"a","response_1":"b","better_response_id":1})"),
            "b|a");
  EXPECT_EQ(
      Choice(
          R"({"context":[{"role":"user","content":"q"}],"response1":"a","response2":"b","overall_preference":-2})"),
      "a|b");
  EXPECT_EQ(
      Choice(
          R"({"winner":"model_b","conversation_a":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],
      "conversation_b":[{"role":"user","content":"q"},{"role":"assistant","content":"b"}]})"),
      "b|a");
  EXPECT_EQ(Choice(R"({"prompt":"p","response_a":"a","response_b":"b","winner":"tie"})"), "tie");
  EXPECT_THAT(Choice(R"({"prompt":"p","response_a":"a","response_b":"b","winner":"x"})"),
              HasSubstr("'winner' is \"x\""));
}

TEST(ChoiceRowsTest, RankedCompletions) {
  EXPECT_EQ(Choice(R"({"context":[{"role":"user","content":"q"}],"completions":[
      {"rank":1,"completion":[{"role":"assistant","content":"worse"}]},
      {"rank":0,"completion":[{"role":"assistant","content":"better"}]}]})"),
            "better|worse");
  const char* feedback = R"({"instruction":"q","source":"s","completions":[
      {"response":"mid","overall_score":6},{"response":"low","overall_score":2.5},{"response":"high","overall_score":9}]})";
  EXPECT_EQ(Choice(feedback), "high|low");
  EXPECT_EQ(ParsePreferenceRow(feedback, "auto")->chosen_score, 9);
  EXPECT_EQ(
      Choice(
          R"({"instruction":"q","completions":[{"response":"a","overall_score":5},{"response":"b","overall_score":5}]})"),
      "tie");
  EXPECT_FALSE(
      ParsePreferenceRow(
          R"({"instruction":"q","completions":[{"response":"a","overall_score":5}]})", "auto")
          ->has_rejected);
  EXPECT_THAT(Choice(R"({"instruction":"q","completions":[{"response":"a"}]})"),
              HasSubstr("entry 0 of 'completions' has no text with a rank or score"));
  EXPECT_EQ(Choice(R"({"instruction":"q","completions":[]})"), "empty_response");
}

TEST(ChoiceRowsTest, OneRankedCompletionIsNotItsOwnRejectedOne) {
  const auto row = ParsePreferenceRow(
      R"({"context":[{"role":"user","content":"q"}],"completions":[
          {"rank":1,"completion":[{"role":"assistant","content":"only"}]}]})",
      "auto");
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_FALSE(row->has_rejected);
  EXPECT_TRUE(row->rejected_messages.empty());
  EXPECT_FALSE(row->rejected_score.has_value());
  EXPECT_EQ(row->chosen_messages.size(), 1u);
}

}  // namespace
}  // namespace fpo::train
