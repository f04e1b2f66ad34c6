#include "train/judge/rate_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_run.h"
#include "tests/train/verdicts/judge_server.h"
#include "train/events/exit_status.h"
#include "train/judge/judge_answers.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using RatedJson = nlohmann::json;

class RateAnswersTest : public ::testing::Test {
 protected:
  void Serve(const std::string& plan) {
    server_ = std::make_unique<JudgeServer>(plan);
    options_.kind = "rating";
    options_.questions =
        folder_.Put("question.jsonl",
                    R"({"question_id": 81, "category": "writing", "turns": ["q", "r"]}
{"question_id": 111, "category": "math", "turns": ["s", "t"]}
)");
    options_.outputs = folder_.Put(
        "m.jsonl",
        R"({"question_id": 111, "model_id": "m", "choices": [{"turns": ["one two three", "four"]}]}
{"question_id": 81, "model_id": "m", "choices": [{"turns": ["a b c d e", "f g"]}]}
)");
    options_.references = folder_.Put(
        "gpt-4.jsonl", R"({"question_id": 111, "choices": [{"index": 0, "turns": ["x", "y"]}]})");
    options_.out = folder_ / "rated.jsonl";
    options_.verdicts = folder_ / "verdicts";
    options_.judge = server_->url();
    options_.endpoint.chat.model = "counts-words";
    options_.endpoint.parallel = 1;
    options_.endpoint.first_wait = absl::Milliseconds(5);
  }
  absl::Status Run() {
    events_.events.clear();
    return JudgeAnswers(options_, events_);
  }
  RatedJson Summary() const { return RatedJson::parse(Slurp(options_.out + ".summary.json")); }

  ScratchFolder folder_;
  std::unique_ptr<JudgeServer> server_;
  JudgeOptions options_;
  RecordingSink events_;
};

TEST_F(RateAnswersTest, RatesBothTurnsByCategoryAndASecondRunAsksForNothing) {
  Serve("");
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(server_->Requests().size(), 4u);
  const RatedJson summary = Summary();
  EXPECT_EQ(summary["average"], (5 + 2 + 3 + 1) / 4.0);
  EXPECT_EQ(summary["first_turn"], 4);
  EXPECT_EQ(summary["second_turn"], 1.5);
  EXPECT_EQ(summary["categories"]["writing"]["average"], 3.5);
  EXPECT_EQ(summary["categories"]["math"]["first_turn"], 3);
  EXPECT_EQ(summary["ratings"], 4);
  EXPECT_EQ(summary["model"], "m");
  const std::string rows = Slurp(options_.out);
  const RatedJson row = RatedJson::parse(rows.substr(0, rows.find('\n')));
  EXPECT_EQ(row["question_id"], 81);
  EXPECT_EQ(row["score"], 5);
  EXPECT_EQ(row["turn"], 1);
  EXPECT_EQ(row["judge"], RatedJson::array({"counts-words", "own-single"}));
  EXPECT_THAT(rows, HasSubstr("own-second-reference"));
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 4u);
  EXPECT_EQ(Slurp(options_.out), rows);
  EXPECT_EQ(events_.Of(EventKind::kResult).at(0).metrics.at("average_rating"), 2.75);
}

TEST_F(RateAnswersTest, AVerdictWithoutARatingCountsNowhere) {
  Serve("mute");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Summary()["unclear_verdicts"], 1);
  EXPECT_EQ(Summary()["average"], 2) << "of the three others, not with a zero";
  EXPECT_TRUE(Summary()["categories"]["writing"]["first_turn"].is_null());
  EXPECT_THAT(Slurp(options_.out), HasSubstr("\"score\":null"));
  Serve("mute,mute,mute,mute");
  options_.endpoint.known_as = "another";
  std::filesystem::remove(options_.out);
  std::filesystem::remove(options_.out + ".summary.json");
  EXPECT_THAT(std::string(Run().message()), HasSubstr("no rating at all"));
  EXPECT_FALSE(std::filesystem::exists(options_.out));
}

TEST_F(RateAnswersTest, AnotherReferenceIsAnotherVerdict) {
  Serve("");
  ASSERT_TRUE(Run().ok());
  options_.references = "";
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 6u) << "the two turns of math";
  ASSERT_FALSE(events_.Of(EventKind::kWarning).empty());
  EXPECT_THAT(events_.Of(EventKind::kWarning)[0].message, HasSubstr("no reference answer"));
}

TEST_F(RateAnswersTest, BadInputsAreErrorsBeforeAnythingIsAsked) {
  Serve("");
  options_.prompt_file = folder_.Put("prompts.jsonl", "{\"type\": \"pairwise\"}\n");
  EXPECT_THAT(std::string(Run().message()), HasSubstr("for a first turn"));
  options_.prompt_file = "";
  options_.outputs =
      folder_.Put("else.jsonl", R"({"question_id": 5, "choices": [{"turns": ["a"]}]})");
  EXPECT_EQ(ExitCodeOf(Run()), ExitCode::kInvalid);
  EXPECT_TRUE(server_->Requests().empty());
}

}  // namespace
}  // namespace fpo::train
