#include "train/generate/answer_rows.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using Row = nlohmann::json;

struct Answered {
  Row row;
  std::string prompt_key, answer_key;
};

Answered AnswerTo(const std::string& prompt, PromptFormat format) {
  ScratchFolder folder;
  const auto file = ReadPromptFile(folder.Put("p.jsonl", prompt), format, 0);
  EXPECT_TRUE(file.ok()) << file.status();
  AnswerTurns turns;
  turns.texts = {"so", "thus"};
  turns.ids = {{5, 6}, {7}};
  turns.texts.resize(1 + file->rows[0].next_questions.size());
  const std::string row = AnswerRow(file->rows[0], turns, {format, "mine", "settings", 1700000000});
  EXPECT_EQ(row.find('\n'), std::string::npos);
  const auto key = KeyOfAnswer(row, format);
  EXPECT_TRUE(key.ok()) << key.status();
  return {Row::parse(row), KeyOfPrompt(file->rows[0], format), *key};
}

TEST(AnswerRows, AlpacaEval) {
  const Answered made =
      AnswerTo(R"({"dataset": "d", "instruction": "i", "output": "theirs", "generator": "other"})",
               PromptFormat::kAlpacaEval);
  EXPECT_EQ(made.row, Row::parse(R"({"dataset": "d", "instruction": "i", "output": "so",
                                     "generator": "mine"})"));
  EXPECT_EQ(made.prompt_key, made.answer_key);
}

TEST(AnswerRows, ArenaHard) {
  Answered made =
      AnswerTo(R"({"uid": "u1", "category": "c", "prompt": "p"})", PromptFormat::kArenaHard);
  EXPECT_EQ(made.prompt_key, made.answer_key);
  EXPECT_EQ(made.row.at("ans_id").get<std::string>().size(), 22u);
  made.row.erase("ans_id");
  EXPECT_EQ(made.row, Row::parse(R"({"uid": "u1", "model": "mine", "tstamp": 1700000000,
      "messages": [{"role": "user", "content": "p"},
                   {"role": "assistant", "content": {"answer": "so"}}]})"));
}

TEST(AnswerRows, MtBench) {
  Answered made = AnswerTo(R"({"question_id": 81, "category": "writing", "turns": ["a", "b"]})",
                           PromptFormat::kMtBench);
  EXPECT_EQ(made.prompt_key, made.answer_key);
  made.row.erase("answer_id");
  EXPECT_EQ(made.row, Row::parse(R"({"question_id": 81, "model_id": "mine", "tstamp": 1700000000,
      "choices": [{"index": 0, "turns": ["so", "thus"]}]})"));
}

TEST(AnswerRows, Jsonl) {
  Answered made = AnswerTo(R"({"id": "x", "prompt": [{"role": "user", "content": "q"}]})",
                           PromptFormat::kJsonl);
  EXPECT_EQ(made.prompt_key, made.answer_key);
  EXPECT_EQ(made.row, Row::parse(R"({"index": 0, "id": "x", "output": "so", "generator": "mine",
      "prompt": [{"role": "user", "content": "q"}], "tokens": 2, "finish_reason": "stop"})"));
  made = AnswerTo(R"({"prompt_ids": [2, 3]})", PromptFormat::kJsonl);
  EXPECT_EQ(made.row.at("output_ids"), Row({5, 6}));
  EXPECT_EQ(made.row.at("prompt_ids"), Row({2, 3}));
}

TEST(AnswerRows, RowsOfOtherThingsHaveNoKey) {
  EXPECT_FALSE(KeyOfAnswer("{\"output\": \"x\"}", PromptFormat::kJsonl).ok());
  EXPECT_FALSE(KeyOfAnswer("7", PromptFormat::kAlpacaEval).ok());
}

}  // namespace
}  // namespace fpo::train
