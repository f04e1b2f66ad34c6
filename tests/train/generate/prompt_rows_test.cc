#include "train/generate/prompt_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using Kind = PromptRow::Kind;

class PromptRowsTest : public ::testing::Test {
 protected:
  PromptFile Read(const std::string& text, PromptFormat format = PromptFormat::kJsonl) {
    auto file = ReadPromptFile(folder_.Put("p.jsonl", text), format, 0);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *file : PromptFile();
  }
  std::string Error(const std::string& text, PromptFormat format = PromptFormat::kJsonl) {
    const auto file = ReadPromptFile(folder_.Put("p.jsonl", text), format, 0);
    EXPECT_FALSE(file.ok());
    return std::string(file.status().message());
  }
  ScratchFolder folder_;
};

TEST_F(PromptRowsTest, FormsOfJsonl) {
  const PromptFile file = Read(R"({"prompt": "a text"}
{"prompt": [{"role": "user", "content": "hi"}], "chosen": "x"}
{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]}
{"instruction": "do it", "input": "with this"}
{"prompt_ids": [2, 7]}
{"prompt": "q", "system": "s"}
{"chosen": "\n\nHuman: hi\n\nAssistant: yes", "rejected": "\n\nHuman: hi\n\nAssistant: no"}
)");
  ASSERT_EQ(file.rows.size(), 7u);
  EXPECT_EQ(file.rows[0].kind, Kind::kText);
  EXPECT_EQ(file.rows[0].text, "a text");
  EXPECT_EQ(file.rows[1].messages, (std::vector<Message>{{"user", "hi"}}));
  EXPECT_EQ(file.rows[2].messages, (std::vector<Message>{{"system", "s"}, {"user", "q"}}));
  EXPECT_THAT(file.rows[3].messages.at(0).content, HasSubstr("with this"));
  EXPECT_EQ(file.rows[4].ids, (std::vector<int32_t>{2, 7}));
  EXPECT_EQ(file.rows[5].messages, (std::vector<Message>{{"system", "s"}, {"user", "q"}}));
  EXPECT_EQ(file.rows[6].messages, (std::vector<Message>{{"user", " hi"}}));
  EXPECT_EQ(file.rows[6].where, "p.jsonl:7");
  EXPECT_TRUE(file.notes.empty());
}

TEST_F(PromptRowsTest, AnAnswerAtTheEndIsLeftOutAndSaid) {
  const PromptFile file = Read(
      R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})");
  EXPECT_EQ(file.rows[0].messages.size(), 1u);
  ASSERT_EQ(file.notes.size(), 1u);
  EXPECT_THAT(file.notes[0], HasSubstr("1 of 1 prompts"));
}

TEST_F(PromptRowsTest, Benchmarks) {
  const PromptFile alpaca =
      Read(R"([{"instruction": "i", "input": "", "dataset": "d"}])", PromptFormat::kAlpacaEval);
  EXPECT_EQ(alpaca.rows[0].messages, (std::vector<Message>{{"user", "i"}}));
  const PromptFile arena = Read(R"({"uid": "u", "prompt": "p"}
{"question_id": "v", "turns": [{"content": "q"}]})",
                                PromptFormat::kArenaHard);
  EXPECT_EQ(arena.rows[1].messages, (std::vector<Message>{{"user", "q"}}));
  const PromptFile bench =
      Read(R"({"question_id": 81, "turns": ["one", "two"]})", PromptFormat::kMtBench);
  EXPECT_EQ(bench.rows[0].messages, (std::vector<Message>{{"user", "one"}}));
  EXPECT_EQ(bench.rows[0].next_questions, std::vector<std::string>{"two"});
}

TEST_F(PromptRowsTest, ErrorsNameLineAndRemedy) {
  EXPECT_THAT(Error("{\"prompt\": \"a\"}\n{\"x\": 1}\n"), HasSubstr("p.jsonl:2: "));
  EXPECT_THAT(Error("{\"x\": 1}\n"), HasSubstr("\"prompt_ids\""));
  EXPECT_THAT(Error("{\"prompt\": \n"), HasSubstr("p.jsonl:1: "));
  EXPECT_THAT(Error("{\"instruction\": \"a\"}\n", PromptFormat::kMtBench),
              HasSubstr("mt_bench needs \"question_id\""));
  EXPECT_THAT(Error("{\"prompt\": \"a\"}\n", PromptFormat::kArenaHard), HasSubstr("\"uid\""));
  EXPECT_THAT(Error("{\"prompt\": \"a\"}\n", PromptFormat::kAlpacaEval),
              HasSubstr("alpaca_eval needs \"instruction\""));
  EXPECT_THAT(Error("{\"messages\": [{\"role\": \"system\", \"content\": \"a\"}]}\n"),
              HasSubstr("do not end with a question"));
  EXPECT_THAT(Error("\n"), HasSubstr("holds no prompt"));
}

TEST_F(PromptRowsTest, TheFirstRowsOnly) {
  const std::string path = folder_.Put("n.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n{\n");
  const auto file = ReadPromptFile(path, PromptFormat::kJsonl, 2);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->rows.size(), 2u);
}

TEST_F(PromptRowsTest, PublishedFiles) {
  const std::string alpaca = SharedData("eval/alpaca_eval/gemma-2b-it.model_outputs.json");
  if (alpaca.empty()) GTEST_SKIP() << "the shared test data are not on this machine";
  const auto count = [](const std::string& path, PromptFormat format) {
    const auto file = ReadPromptFile(path, format, 0);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? file->rows.size() : 0;
  };
  EXPECT_EQ(count(alpaca, PromptFormat::kAlpacaEval), 805u);
  EXPECT_EQ(count(SharedData("eval/arena_hard/v0.1.question.jsonl"), PromptFormat::kArenaHard),
            500u);
  EXPECT_EQ(count(SharedData("eval/arena_hard/v2.0.question.jsonl"), PromptFormat::kArenaHard),
            750u);
  EXPECT_EQ(count(SharedData("eval/mt_bench/question.jsonl"), PromptFormat::kMtBench), 80u);
}

}  // namespace
}  // namespace fpo::train
