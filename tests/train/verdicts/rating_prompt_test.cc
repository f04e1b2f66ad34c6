#include "train/verdicts/rating_prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RatedTurn Turn(int turn, bool reference) {
  RatedTurn rated;
  rated.turn = turn;
  rated.questions = {"Q1 {answer}", "Q2"};
  rated.answers = {"A1 {question}", "A2"};
  if (reference) rated.references = {"R1", "R2"};
  for (auto* texts : {&rated.questions, &rated.answers, &rated.references}) {
    if (!texts->empty()) texts->resize(static_cast<size_t>(turn));
  }
  return rated;
}

TEST(RatingPromptTest, EachKindOfTurnHasItsOwn) {
  const RatingPrompts prompts = DefaultRatingPrompts();
  const auto text = [&](int turn, bool reference) {
    const RatedTurn rated = Turn(turn, reference);
    return FillRatingPrompt(PromptFor(prompts, rated), rated).back().text;
  };
  EXPECT_THAT(text(1, false), HasSubstr("Question:\nQ1 {answer}\n\nAnswer:\nA1 {question}\n"));
  EXPECT_THAT(text(1, false), Not(HasSubstr("R1")));
  EXPECT_THAT(text(1, true), HasSubstr("known to be right:\nR1\n\nAnswer:\n"));
  EXPECT_THAT(text(2, false), HasSubstr("First answer:\nA1 {question}\n\nSecond question:\nQ2\n"));
  EXPECT_THAT(text(2, true), HasSubstr("R1\n\nR2\n\nSecond answer:\nA2\n"));
  for (const bool reference : {false, true}) {
    EXPECT_THAT(text(2, reference), HasSubstr("[[5]]"));
    EXPECT_THAT(text(2, reference), Not(HasSubstr("{ref_answer")));
  }
  EXPECT_EQ(AsJudgePrompt(prompts).form, VerdictForm::kRating);
}

TEST(RatingPromptTest, FastChatsFileIsRead) {
  const std::string path = SharedData("eval/mt_bench/judge_prompts.jsonl");
  if (path.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const auto prompts = ReadRatingPrompts(path);
  ASSERT_TRUE(prompts.ok()) << prompts.status();
  EXPECT_EQ(prompts->first.name, "single-v1");
  EXPECT_EQ(prompts->first_with_reference.name, "single-math-v1");
  EXPECT_EQ(prompts->second.name, "single-v1-multi-turn");
  EXPECT_EQ(prompts->second_with_reference.name, "single-math-v1-multi-turn");
  const JudgeConversation filled = FillRatingPrompt(prompts->second_with_reference, Turn(2, true));
  ASSERT_EQ(filled.size(), 2u);
  EXPECT_EQ(filled[0].role, "system");
  // What Python's str.format makes of the row.
  EXPECT_EQ(filled[1].text,
            "<|The Start of Reference Answer|>\n\n### User:\nQ1 {answer}\n\n### Reference answer:\n"
            "R1\n\n### User:\nQ2\n\n### Reference answer:\nR2\n\n<|The End of Reference Answer|>"
            "\n\n\n<|The Start of Assistant A's Conversation with User|>\n\n### User:\nQ1 {answer}"
            "\n\n### Assistant A:\nA1 {question}\n\n### User:\nQ2\n\n### Assistant A:\nA2\n\n"
            "<|The End of Assistant A's Conversation with User|>");
}

TEST(RatingPromptTest, FilesThatLackAKindAreErrors) {
  const ScratchFolder folder;
  const auto error = [&](const std::string& text) {
    const auto prompts = ReadRatingPrompts(folder.Put("p.jsonl", text));
    EXPECT_FALSE(prompts.ok());
    return std::string(prompts.status().message());
  };
  const std::string first =
      R"({"type": "single", "name": "one", "prompt_template": "{question} {answer}"})";
  EXPECT_THAT(error(first), HasSubstr("for a first turn with {ref_answer_1}"));
  EXPECT_THAT(error(absl::StrCat(first, "\n", first)), HasSubstr("are of one kind"));
  EXPECT_THAT(error(R"({"type": "single", "name": "x", "prompt_template": "{question}"})"),
              HasSubstr("p.jsonl:1: the prompt \"x\" has no place {answer}"));
}

}  // namespace
}  // namespace fpo::train
