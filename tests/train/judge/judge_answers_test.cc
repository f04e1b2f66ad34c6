#include "train/judge/judge_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/train/generate/tiny_text_model.h"
#include "tests/train/support/tiny_run.h"
#include "tests/train/verdicts/judge_server.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using JudgedJson = nlohmann::json;

class JudgeAnswersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.outputs = folder_.Put("mine.jsonl", Rows("m", "a long and thorough answer"));
    options_.baseline = folder_.Put("base.jsonl", Rows("base", "a short one"));
    options_.out = folder_ / "judged.jsonl";
    options_.verdicts = folder_ / "verdicts";
  }
  static std::string Rows(const std::string& name, const std::string& answer) {
    std::string rows;
    for (int i = 0; i < 6; ++i) {
      absl::StrAppend(&rows, R"({"instruction": "question )", i, R"(", "output": ")",
                      i == 4 ? "the same" : answer, R"(", "generator": ")", name, "\"}\n");
    }
    return rows;
  }
  void Serve(const std::string& plan) {
    server_ = std::make_unique<JudgeServer>(plan);
    options_.judge = server_->url();
    options_.endpoint.known_as = "the test's";
    options_.endpoint.chat.model = "long-is-good";
    options_.endpoint.parallel = 1;
    options_.endpoint.first_wait = absl::Milliseconds(5);
  }
  absl::Status Run() {
    events_.events.clear();
    return JudgeAnswers(options_, events_);
  }
  JudgedJson Summary() const { return JudgedJson::parse(Slurp(options_.out + ".summary.json")); }
  double Metric(const std::string& name) const {
    return events_.Of(EventKind::kResult).at(0).metrics.at(name);
  }

  ScratchFolder folder_;
  std::unique_ptr<JudgeServer> server_;
  JudgeOptions options_;
  RecordingSink events_;
};

TEST_F(JudgeAnswersTest, JudgesBothOrdersAndASecondRunAsksForNothing) {
  Serve("");
  options_.price_in = 10;
  ASSERT_TRUE(Run().ok());
  // Six pairs in two orders; in the fifth both answers are the same, so its orders are one.
  EXPECT_EQ(server_->Requests().size(), 11u);
  EXPECT_EQ(Metric("verdicts_asked"), 11);
  const JudgedJson summary = Summary();
  EXPECT_EQ(summary["wins"], 5);
  EXPECT_EQ(summary["draws"], 1);
  EXPECT_EQ(summary["judged"], 6);
  EXPECT_EQ(summary["model"], "m");
  EXPECT_EQ(summary["judge"]["at"], "the test's");
  EXPECT_NEAR(summary["first_answer_share"], 0.5, 1e-9);
  EXPECT_NEAR(summary["cost"], 12 * 100 * 10 / 1e6, 1e-12);
  EXPECT_GT(summary["win_rate"], 70);
  const std::string annotations = Slurp(options_.out), text = Slurp(options_.out + ".summary.json");
  const JudgedJson row = JudgedJson::parse(annotations.substr(0, annotations.find('\n')));
  EXPECT_EQ(row["annotator"], "long-is-good");
  EXPECT_GT(row["preference"], 1.5);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 11u);
  EXPECT_EQ(Metric("verdicts_asked"), 0);
  EXPECT_EQ(Metric("cost"), 0);
  EXPECT_EQ(Slurp(options_.out), annotations);
  EXPECT_EQ(Slurp(options_.out + ".summary.json"), text);
}

TEST_F(JudgeAnswersTest, VerdictsAreSharedByContentNotByFile) {
  Serve("");
  ASSERT_TRUE(Run().ok());
  // Other names, another order, and one question more.
  std::string rows = Rows("other", "a long and thorough answer");
  rows = rows.substr(rows.find('\n') + 1) + rows.substr(0, rows.find('\n') + 1);
  options_.outputs = folder_.Put("again.jsonl", rows);
  options_.out = folder_ / "again_judged.json";
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 11u);
  EXPECT_EQ(JudgedJson::parse(Slurp(options_.out)).size(), 6u);
  options_.endpoint.chat.model = "another";
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 22u);
}

TEST_F(JudgeAnswersTest, OneOrderIsHalfTheWork) {
  Serve("");
  options_.order = "model_first";
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 6u);
  EXPECT_EQ(Summary()["pairs_in_both_orders"], 0);
  options_.order = "both";
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 11u);
}

TEST_F(JudgeAnswersTest, GradesGiveArenaHardsScore) {
  Serve("mute");
  options_.kind = "grades";
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(server_->Requests().size(), 11u);
  EXPECT_EQ(Summary()["unclear_verdicts"], 1) << "the server said nothing of the first";
  // "a long and thorough answer" is twice as long as "a short one", in one order of the first pair
  // and in both of four more; the fifth is a tie in both.
  EXPECT_EQ(Summary()["grades"], JudgedJson::array({9, 0, 2, 0, 0}));
  EXPECT_EQ(Summary()["judge"]["max_tokens"], 2048);
  EXPECT_GT(Summary()["arena_score"], 90);
  EXPECT_EQ(Metric("arena_score"), Summary()["arena_score"]);
  EXPECT_EQ(Metric("answer_tokens"), 11 * 20);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 11u);
  // Another question to the same judge.
  options_.kind = "pairwise";
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 22u);
  EXPECT_FALSE(Summary().contains("arena_score"));
}

TEST_F(JudgeAnswersTest, PairsOfAnnotationsAreJudgedAnew) {
  Serve("");
  options_.outputs = options_.baseline = "";
  options_.pairs =
      folder_.Put("votes.jsonl",
                  R"({"input": "q", "output_1": "short", "output_2": "much longer", "label": 1}
{"input": "r", "output_1": "much longer", "output_2": "short", "label": 2}
)");
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Summary()["wins"], 1);
  EXPECT_EQ(Summary()["losses"], 1);
  EXPECT_EQ(Summary()["baseline"], "output_1");
  options_.out = options_.pairs;
  EXPECT_THAT(std::string(Run().message()), HasSubstr("is one of the files of answers"));
}

TEST_F(JudgeAnswersTest, AfterAnErrorTheNextRunGoesOn) {
  Serve("good,good,good,401");
  EXPECT_FALSE(Run().ok());
  EXPECT_FALSE(std::filesystem::exists(options_.out));
  EXPECT_FALSE(std::filesystem::exists(options_.out + ".summary.json"));
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(server_->Requests().size(), 12u);
  EXPECT_EQ(Metric("verdicts_asked"), 8);
}

TEST_F(JudgeAnswersTest, StopsOnRequestAndGoesOn) {
  Serve("");
  RequestStop();
  EXPECT_EQ(ExitCodeOf(Run()), ExitCode::kStopped);
  ClearStopRequest();
  EXPECT_FALSE(std::filesystem::exists(options_.out));
  ASSERT_TRUE(Run().ok());
}

TEST_F(JudgeAnswersTest, AModelOfThisMachineJudgesWithoutANetwork) {
  const TinyTextModel tiny;
  options_.judge = tiny.path();
  options_.prompt_file = folder_.Put("prompt.txt", "{instruction} x {output_1} e {output_2}: ");
  options_.tokens = "x,e";
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Metric("verdicts_asked"), 11);
  EXPECT_EQ(Summary()["judged"], 6);
  EXPECT_EQ(Summary()["judge"]["kind"], "model");
  const std::string annotations = Slurp(options_.out);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Metric("verdicts_asked"), 0);
  EXPECT_EQ(Slurp(options_.out), annotations);
}

TEST_F(JudgeAnswersTest, ForeignFilesAreNotOverwritten) {
  Serve("");
  options_.out = options_.baseline;
  EXPECT_THAT(std::string(Run().message()), HasSubstr("is one of the files of answers"));
  options_.out = folder_.Put("there.jsonl", "mine");
  EXPECT_THAT(std::string(Run().message()), HasSubstr("it is not overwritten"));
  EXPECT_EQ(Slurp(options_.out), "mine");
  EXPECT_TRUE(server_->Requests().empty());
}

TEST_F(JudgeAnswersTest, BadInputsAreErrorsBeforeAnythingIsAsked) {
  Serve("");
  options_.outputs = folder_.Put("bad.jsonl", "{\"instruction\": \"else\", \"output\": \"x\"}");
  EXPECT_EQ(ExitCodeOf(Run()), ExitCode::kInvalid);
  SetUp();
  options_.prompt_file = folder_.Put("prompt.txt", "A or B?");
  EXPECT_EQ(ExitCodeOf(Run()), ExitCode::kInvalid);
  options_.prompt_file = "";
  options_.length_control = folder_.Put("t.csv", "index\n1\n");
  EXPECT_EQ(ExitCodeOf(Run()), ExitCode::kInvalid);
  options_.length_control = "";
  options_.out = folder_.Put("file", "") + "/judged.jsonl";
  EXPECT_EQ(ExitCodeOf(Run()), ExitCode::kStorage);
  EXPECT_TRUE(server_->Requests().empty());
}

TEST_F(JudgeAnswersTest, DamagedVerdictsAreSaidAndAskedForAgain) {
  Serve("");
  ASSERT_TRUE(Run().ok());
  const std::string store = options_.verdicts + "/verdicts.jsonl";
  std::string text = Slurp(store);
  text[text.find("\"first\":") + 9] ^= 1;
  std::ofstream(store, std::ios::trunc) << text;
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Metric("verdicts_asked"), 1);
  ASSERT_FALSE(events_.Of(EventKind::kWarning).empty());
}

}  // namespace
}  // namespace fpo::train
