#include "train/verdicts/rated_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kQuestions[] =
    R"({"question_id": 81, "category": "writing", "turns": ["q", "r"]}
{"question_id": "b", "category": "math", "turns": ["s"]}
)";

class RatedTurnsTest : public ::testing::Test {
 protected:
  absl::StatusOr<RatedTurns> Read(const std::string& answers, const std::string& references = "",
                                  int64_t most = 0) {
    return ReadRatedTurns({folder_.Put("a.jsonl", answers), folder_.Put("q.jsonl", kQuestions),
                           references.empty() ? references : folder_.Put("r.jsonl", references)},
                          most);
  }
  std::string ErrorOf(const std::string& answers, const std::string& references = "") {
    const auto read = Read(answers, references);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(read.status().message());
  }
  ScratchFolder folder_;
};

TEST_F(RatedTurnsTest, ASecondTurnHasTheFirstBeforeIt) {
  const auto read = Read(R"({"question_id": "b", "choices": [{"turns": ["z"]}]}
{"question_id": 81, "model_id": "m", "choices": [{"turns": ["x", "y"]}]})",
                         R"({"question_id": "b", "choices": [{"turns": ["right"]}]})");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->turns.size(), 3u);
  EXPECT_EQ(read->turns[0].question, "81");
  EXPECT_THAT(read->turns[0].answers, ElementsAre("x"));
  EXPECT_EQ(read->turns[1].turn, 2);
  EXPECT_THAT(read->turns[1].questions, ElementsAre("q", "r"));
  EXPECT_THAT(read->turns[1].answers, ElementsAre("x", "y"));
  EXPECT_THAT(read->turns[1].references, IsEmpty());
  EXPECT_EQ(read->turns[2].category, "math");
  EXPECT_THAT(read->turns[2].references, ElementsAre("right"));
  EXPECT_THAT(read->notes, IsEmpty());
}

TEST_F(RatedTurnsTest, WhatIsMissingIsSaid) {
  const auto read = Read(R"({"question_id": "b", "model_id": "m", "choices": [{"turns": ["z"]}]})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->model, "m");
  ASSERT_EQ(read->notes.size(), 2u);
  EXPECT_THAT(read->notes[0], HasSubstr("1 of 2 questions"));
  EXPECT_THAT(read->notes[1], HasSubstr("1 questions of math, reasoning and coding"));
}

TEST_F(RatedTurnsTest, WrongRowsAreErrors) {
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("a.jsonl:1: it has no \"question_id\""));
  EXPECT_THAT(ErrorOf(R"({"question_id": 81})"), HasSubstr("\"turns\""));
  EXPECT_THAT(ErrorOf(R"({"question_id": 81, "choices": [{"turns": [3, 4]}]})"),
              HasSubstr("\"turns\" in \"choices\""));
  EXPECT_THAT(ErrorOf(R"({"question_id": 82, "choices": [{"turns": ["a"]}]})"),
              HasSubstr("question 82 is none"));
  EXPECT_THAT(ErrorOf(R"({"question_id": 81, "choices": [{"turns": ["a"]}]})"),
              HasSubstr("question 81 has 2 turns and 1 answers"));
  const std::string good = R"({"question_id": "b", "choices": [{"turns": ["z"]}]})";
  EXPECT_THAT(ErrorOf(good + "\n" + good), HasSubstr("a.jsonl:2: question b again"));
  EXPECT_THAT(ErrorOf(good, R"({"question_id": 81, "choices": [{"turns": ["a"]}]})"),
              HasSubstr("r.jsonl: question 81 has 2 turns"));
}

TEST_F(RatedTurnsTest, MtBenchsOwnFilesAreRead) {
  const std::string questions = SharedData("eval/mt_bench/question.jsonl");
  const std::string gpt4 = SharedData("eval/mt_bench/reference_answer.gpt-4.jsonl");
  if (questions.empty() || gpt4.empty()) {
    GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  }
  const auto read = ReadRatedTurns({gpt4, questions, gpt4}, 0);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->turns.size(), 60u);
  EXPECT_EQ(read->model, "gpt-4");
  ASSERT_EQ(read->notes.size(), 1u) << "30 of 80 questions have an answer there";
  for (const RatedTurn& turn : read->turns) EXPECT_EQ(turn.references, turn.answers);
}

}  // namespace
}  // namespace fpo::train
