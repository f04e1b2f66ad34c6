#include "train/verdicts/judge_prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

const Comparison kPair{"Why {output_2}?", "first {instruction}", "second {output_1}"};

TEST(JudgePromptTest, PlacesInAnswersStayAsTheyAre) {
  const auto prompt =
      ParseJudgePrompt("Q {instruction} {other} {A: {output_1} B: {output_2}", "A,B");
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  const auto messages = FillPrompt(*prompt, kPair);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].role, "user");
  EXPECT_EQ(messages[0].text,
            "Q Why {output_2}? {other} {A: first {instruction} B: second {output_1}");
}

TEST(JudgePromptTest, MarksSeparateMessages) {
  const auto prompt = ParseJudgePrompt(
      "<|im_start|>system\nBe fair.\n<|im_end|>\n<|im_start|>user\n{question}: m {answer_a}, M "
      "{answer_b}\n<|im_end|>",
      "m,M");
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  ASSERT_EQ(prompt->messages.size(), 2u);
  EXPECT_EQ(prompt->messages[0].role, "system");
  EXPECT_EQ(prompt->messages[0].text, "Be fair.");
  EXPECT_EQ(FillPrompt(*prompt, {"q", "x", "y"})[1].text, "q: m x, M y");
  EXPECT_EQ(prompt->second_token, "M");
}

TEST(JudgePromptTest, ErrorsSayWhatIsMissing) {
  const auto error = [](const std::string& text, const std::string& tokens = "A,B") {
    return std::string(ParseJudgePrompt(text, tokens).status().message());
  };
  EXPECT_THAT(error("A B {output_1} {output_2}"), HasSubstr("no {instruction}"));
  EXPECT_THAT(error("A B {instruction} {output_2}"), HasSubstr("no {output_1}"));
  EXPECT_THAT(error("A B {instruction} {output_1}"), HasSubstr("no {output_2}"));
  const std::string whole = "A {instruction} {output_1} {output_2}";
  EXPECT_THAT(error(whole), HasSubstr("do not name the verdict B"));
  EXPECT_THAT(error(whole, "A"), HasSubstr("\"A\" are not two different verdicts"));
  EXPECT_THAT(error(whole, "A,A"), HasSubstr("not two different"));
  EXPECT_THAT(error(whole, "A,"), HasSubstr("not two different"));
  EXPECT_THAT(error("B<|im_start|>user\n" + whole), HasSubstr("without an <|im_end|>"));
  EXPECT_THAT(error("<|im_start|>judge\nB" + whole + "<|im_end|>"), HasSubstr("role \"judge\""));
}

TEST(JudgePromptTest, VerdictsInWords) {
  const JudgePrompt prompt = DefaultJudgePrompt();
  EXPECT_EQ(VerdictOfWords(prompt, "A"), 1.0);
  EXPECT_EQ(VerdictOfWords(prompt, " B."), 0.0);
  EXPECT_EQ(VerdictOfWords(prompt, "A is good, yet my verdict is [[B]]"), 0.0);
  EXPECT_EQ(VerdictOfWords(prompt, "Tie: both are fine"), 0.5);
  EXPECT_EQ(VerdictOfWords(prompt, "They are alike: [[C]]"), 0.5);
  for (const char* words : {"", "An apple", "I prefer A", "[[A]] or [[B]]", "a"}) {
    EXPECT_FALSE(VerdictOfWords(prompt, words).has_value()) << words;
  }
}

TEST(JudgePromptTest, WhatTheWordsSayDependsOnTheForm) {
  const auto read = [](VerdictForm form, const char* words) {
    JudgePrompt prompt = DefaultJudgePrompt();
    prompt.form = form;
    Verdict verdict;
    ReadVerdict(prompt, words, &verdict);
    return verdict;
  };
  EXPECT_EQ(read(VerdictForm::kWinner, "[[A]]").first, 1);
  EXPECT_EQ(read(VerdictForm::kGrade, "so [[A>B]]").first, 0.75);
  EXPECT_EQ(read(VerdictForm::kGrade, "[[B>>A]]").first, 0);
  EXPECT_FALSE(read(VerdictForm::kGrade, "[[A]]").first.has_value());
  EXPECT_EQ(read(VerdictForm::kRating, "Rating: [[7]]").rating, 7);
  EXPECT_FALSE(read(VerdictForm::kRating, "Rating: [[7]]").first.has_value());
  EXPECT_FALSE(read(VerdictForm::kRating, "Rating: [[11]]").rating.has_value());
}

TEST(JudgePromptTest, InstructionsForGrades) {
  const auto parse = [](const char* text) {
    return ParseJudgePrompt(text, "A,B", VerdictForm::kGrade);
  };
  const auto prompt = parse("<|User|>{QUESTION} {ANSWER_A} {ANSWER_B}: A>>B or less");
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(FillPrompt(*prompt, {"q", "a", "b"})[0].text, "<|User|>q a b: A>>B or less");
  EXPECT_TRUE(parse("{question_1} {answer_1} {answer_2} [[A>>B]]").ok());
  EXPECT_THAT(std::string(parse("{question} {answer_a} {answer_b} A B").status().message()),
              HasSubstr("do not name the grade A>>B"));
  EXPECT_TRUE(parse(DefaultJudgePrompt(VerdictForm::kGrade).messages[0].text.c_str()).ok());
}

// Verdicts on disks are known by it.
TEST(JudgePromptTest, TheDigestOfTheOwnInstructionsStays) {
  EXPECT_EQ(DigestOf(DefaultJudgePrompt()),
            "5431a6ec3ecc02b51d5f066d8686f6987a4dcd44c53bc5cd03c517f12c7c92d7");
}

TEST(JudgePromptTest, TheDigestIsThatOfInstructionsAndTokens) {
  JudgePrompt prompt = DefaultJudgePrompt();
  const std::string digest = DigestOf(prompt);
  EXPECT_EQ(DigestOf(DefaultJudgePrompt()), digest);
  prompt.messages[0].text += " ";
  EXPECT_NE(DigestOf(prompt), digest);
  prompt = DefaultJudgePrompt();
  std::swap(prompt.first_token, prompt.second_token);
  EXPECT_NE(DigestOf(prompt), digest);
  prompt = DefaultJudgePrompt();
  prompt.form = VerdictForm::kRating;
  EXPECT_NE(DigestOf(prompt), digest);
}

TEST(JudgePromptTest, TheOwnInstructionsHaveEveryPlaceOnce) {
  const auto messages = FillPrompt(DefaultJudgePrompt(), {"QUESTION", "FIRST", "SECOND"});
  ASSERT_EQ(messages.size(), 1u);
  for (const char* part : {"QUESTION", "FIRST", "SECOND"}) {
    const size_t at = messages[0].text.find(part);
    ASSERT_NE(at, std::string::npos) << part;
    EXPECT_EQ(messages[0].text.find(part, at + 1), std::string::npos) << part;
  }
}

TEST(JudgePromptTest, AlpacaEvalsOwnFileIsRead) {
  const std::string path = SharedData("eval/alpaca_eval/alpaca_eval_clf.txt");
  if (path.empty()) GTEST_SKIP() << "the shared AlpacaEval data is not on this machine";
  const auto prompt = ReadJudgePrompt(path, "m,M");
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  ASSERT_EQ(prompt->messages.size(), 2u);
  const std::string text = FillPrompt(*prompt, {"QQQ", "XXX", "YYY"})[1].text;
  for (const char* part : {"QQQ", "XXX", "YYY"}) EXPECT_THAT(text, HasSubstr(part));
  EXPECT_EQ(text.find("{output_"), std::string::npos);
}

}  // namespace
}  // namespace fpo::train
