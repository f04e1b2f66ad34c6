#include "train/generate/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/train/generate/tiny_text_model.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using Row = nlohmann::json;

constexpr char kPrompts[] = R"({"prompt": "the model"}
{"prompt": [{"role": "user", "content": "user"}]}
{"id": "third", "prompt": "a longer one: the the the model model user"}
{"prompt": "x"}
{"prompt": "!"}
)";

class GenerateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.model = tiny_.path();
    options_.template_name = "gemma";
    options_.out = tiny_.folder() / "out/answers.jsonl";
    options_.section.prompts = tiny_.folder().Put("prompts.jsonl", kPrompts);
    options_.section.max_new_tokens = 12;
    options_.section.temperature = 1;
    options_.section.batch = 2;
  }
  absl::Status Run() { return GenerateFile(options_, events_); }
  void Must() {
    const absl::Status status = Run();
    ASSERT_TRUE(status.ok()) << status;
  }
  std::vector<Row> Rows() const {
    std::vector<Row> rows;
    std::istringstream lines(Slurp(options_.out));
    for (std::string line; std::getline(lines, line);) rows.push_back(Row::parse(line));
    return rows;
  }

  TinyTextModel tiny_;
  GenerateOptions options_;
  RecordingSink events_;
};

TEST_F(GenerateTest, AnswersInTheOrderOfThePromptsWhateverTheBatch) {
  Must();
  const std::string first = Slurp(options_.out);
  const std::vector<Row> rows = Rows();
  ASSERT_EQ(rows.size(), 5u);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].at("index"), i);
  EXPECT_EQ(rows[2].at("id"), "third");
  EXPECT_EQ(rows[0].at("generator"), "model");
  for (const int64_t batch : {1, 3, 16}) {
    options_.out = tiny_.folder() / ("b" + std::to_string(batch) + ".jsonl");
    options_.section.batch = batch;
    Must();
    EXPECT_EQ(Slurp(options_.out), first) << batch;
  }
  ASSERT_EQ(events_.Of(EventKind::kResult).size(), 4u);
  EXPECT_EQ(events_.Of(EventKind::kResult)[0].metrics.at("answers"), 5);
}

TEST_F(GenerateTest, GoesOnWithWhatIsMissing) {
  Must();
  const std::string whole = Slurp(options_.out);
  // As a run leaves it that is killed in the middle of its third row.
  std::string some = whole.substr(whole.find('\n') + 1);
  some.resize(some.find('\n') + 20);
  std::ofstream(options_.out) << some;
  Must();
  EXPECT_EQ(Slurp(options_.out), whole);
  events_.events.clear();
  Must();  // nothing to do
  EXPECT_EQ(Slurp(options_.out), whole);
  EXPECT_EQ(events_.Of(EventKind::kResult)[0].metrics.at("tokens"), 0);
}

TEST_F(GenerateTest, OtherSettingsAreRefused) {
  Must();
  const std::string whole = Slurp(options_.out);
  options_.section.batch = 7;  // decides nothing
  Must();
  options_.seed = 43;
  const absl::Status status = Run();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
  EXPECT_THAT(std::string(status.message()), HasSubstr("seed: 42 there, 43 now"));
  EXPECT_EQ(Slurp(options_.out), whole);
}

TEST_F(GenerateTest, TheSeedDecidesOnlyWhereSomethingIsDrawn) {
  options_.section.temperature = 0;
  Must();
  options_.seed = 43;
  Must();
}

TEST_F(GenerateTest, StopsBetweenStepsAndKeepsWhatIsComplete) {
  RequestStop();
  EXPECT_EQ(ExitCodeOf(Run()), ExitCode::kStopped);
  EXPECT_TRUE(Rows().empty());
  ClearStopRequest();
  Must();
  EXPECT_EQ(Rows().size(), 5u);
}

TEST_F(GenerateTest, MtBenchAsksBothQuestions) {
  options_.section.format = "mt_bench";
  options_.section.prompts =
      tiny_.folder().Put("bench.jsonl", R"({"question_id": 81, "turns": ["the model", "the user"]}
{"question_id": 82, "turns": ["user", "model"]})");
  Must();
  const std::vector<Row> rows = Rows();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].at("choices")[0].at("turns").size(), 2u);
}

TEST_F(GenerateTest, SecondTurnsAreThoseOfTheWholeConversation) {
  options_.section.temperature = 0;
  options_.section.format = "mt_bench";
  options_.section.prompts = tiny_.folder().Put(
      "bench.jsonl", R"({"question_id": 81, "turns": ["the model", "the user"]})");
  Must();
  const Row turns = Rows()[0].at("choices")[0].at("turns");
  options_.section.format = "jsonl";
  options_.out = tiny_.folder() / "whole.jsonl";
  Row conversation;
  conversation["prompt"] = {{{"role", "user"}, {"content", "the model"}},
                            {{"role", "assistant"}, {"content", turns[0]}},
                            {{"role", "user"}, {"content", "the user"}}};
  options_.section.prompts = tiny_.folder().Put("whole_prompt.jsonl", conversation.dump());
  Must();
  EXPECT_EQ(Rows()[0].at("output"), turns[1]);
}

TEST_F(GenerateTest, ErrorsNameThePromptAndLeaveNothing) {
  const auto error = [&](const std::string& prompts) {
    options_.section.prompts = tiny_.folder().Put("bad.jsonl", prompts);
    const absl::Status status = Run();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid) << status;
    EXPECT_FALSE(std::filesystem::exists(tiny_.folder() / "out"));
    return std::string(status.message());
  };
  EXPECT_THAT(error("{\"prompt\": \"x\"}\n{\"prompt_ids\": [2, 100000]}"),
              HasSubstr("bad.jsonl:2: id 100000 is outside the vocabulary"));
  EXPECT_THAT(error("{\"prompt\": [{\"role\": \"assistant\", \"content\": \"a\"}, "
                    "{\"role\": \"user\", \"content\": \"b\"}]}"),
              HasSubstr("roles do not alternate"));
  options_.section.max_prompt_length = 3;
  EXPECT_THAT(error("{\"prompt\": \"the model the model\"}"), HasSubstr("max_prompt_length, 3"));
}

TEST_F(GenerateTest, ABaseModelsMessagesAreWarnedAbout) {
  options_.template_name = "auto";
  Must();
  ASSERT_FALSE(events_.Of(EventKind::kWarning).empty());
  EXPECT_THAT(events_.Of(EventKind::kWarning)[0].message, HasSubstr("no chat template"));
}

}  // namespace
}  // namespace fpo::train
