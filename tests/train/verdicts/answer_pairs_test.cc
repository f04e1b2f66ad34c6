#include "train/verdicts/answer_pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

class AnswerPairsTest : public ::testing::Test {
 protected:
  absl::StatusOr<AnswerPairs> Read(const std::string& model, const std::string& baseline,
                                   int64_t pairs_max = 0) {
    return ReadAnswerPairs(folder_.Put("model.jsonl", model), folder_.Put("base.jsonl", baseline),
                           pairs_max);
  }
  std::string ErrorOf(const std::string& model, const std::string& baseline) {
    return std::string(Read(model, baseline).status().message());
  }
  ScratchFolder folder_;
};

constexpr char kBaseline[] = R"({"instruction": "one", "output": "b1", "generator": "base"}
{"instruction": "two", "input": "more", "output": "b2", "generator": "base"}
{"instruction": "one", "output": "b3", "generator": "base"}
)";

TEST_F(AnswerPairsTest, QuestionsAreFoundByTheirTextAndTurn) {
  const auto read =
      Read(R"({"instruction": "two", "input": "more", "output": "m2", "generator": "m"}
{"prompt": "one", "output": "m1", "generator": "m", "dataset": "d"}
{"prompt": [{"role": "user", "content": "one"}], "output": "m3", "generator": "m"}
)",
           kBaseline);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->model, "m");
  EXPECT_EQ(read->baseline, "base");
  EXPECT_EQ(read->baseline_rows, 3);
  ASSERT_EQ(read->pairs.size(), 3u);
  EXPECT_EQ(read->pairs[0].question, "two\n\nmore");
  EXPECT_EQ(read->pairs[0].index, 1);
  EXPECT_EQ(read->pairs[0].baseline_output, "b2");
  EXPECT_EQ(read->pairs[1].baseline_output, "b1");
  EXPECT_EQ(read->pairs[1].dataset, "d");
  EXPECT_EQ(read->pairs[2].baseline_output, "b3");
  EXPECT_TRUE(read->notes.empty());
}

TEST_F(AnswerPairsTest, ArenaHardsAnswersAreRead) {
  const auto read =
      Read(R"({"uid": "u", "model": "m", "messages": [{"role": "user", "content": "one"}, )"
           R"({"role": "assistant", "content": {"answer": "m1"}}]})",
           kBaseline);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->pairs[0].model_output, "m1");
  EXPECT_EQ(read->model, "m");
}

TEST_F(AnswerPairsTest, WhatIsLeftOutIsSaid) {
  const auto read = Read(R"({"instruction": "one", "output": "m1", "generator": "m"}
{"instruction": "one", "output": "m3", "generator": "n"}
)",
                         kBaseline);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->notes.size(), 2u);
  EXPECT_THAT(read->notes[0], HasSubstr("holds answers of 2 models"));
  EXPECT_THAT(read->notes[1], HasSubstr("1 of 3 questions"));
  EXPECT_EQ(Read(kBaseline, kBaseline, 2)->pairs.size(), 2u);
}

TEST_F(AnswerPairsTest, ErrorsNameTheRow) {
  EXPECT_THAT(ErrorOf(R"({"instruction": "three", "output": "x"})", kBaseline),
              HasSubstr("model.jsonl:1: "));
  EXPECT_THAT(ErrorOf(R"({"instruction": "three", "output": "x"})", kBaseline),
              HasSubstr("no answer to this question (or fewer than this file): \"three\""));
  EXPECT_THAT(ErrorOf(kBaseline, "{\"instruction\": \"one\"}"),
              HasSubstr("an answer has \"instruction\" or \"prompt\" and \"output\""));
  EXPECT_THAT(ErrorOf(kBaseline, "{\"output\": \"x\"}"), HasSubstr("base.jsonl:1: "));
  EXPECT_THAT(ErrorOf("", kBaseline), HasSubstr("holds no answer"));
  EXPECT_THAT(ErrorOf("[1]", kBaseline), HasSubstr("not a JSON object"));
}

TEST_F(AnswerPairsTest, PublishedOutputsFitTogether) {
  const std::string model = SharedData("eval/alpaca_eval/gemma-2b-it.model_outputs.json");
  if (model.empty()) GTEST_SKIP() << "the shared AlpacaEval data is not on this machine";
  const auto read = ReadAnswerPairs(
      model, SharedData("eval/alpaca_eval/gpt4_1106_preview.model_outputs.json"), 0);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->pairs.size(), 805u);
  EXPECT_EQ(read->model, "gemma-2b-it");
  for (size_t i = 0; i < 805; ++i) ASSERT_EQ(read->pairs[i].index, static_cast<int64_t>(i));
}

}  // namespace
}  // namespace fpo::train
