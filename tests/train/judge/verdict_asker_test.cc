#include "train/judge/verdict_asker.h"

#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"

namespace fpo::train {
namespace {

// Says 1 of everything; stops after so many.
class AgreeingJudge final : public Judge {
 public:
  const std::string& identity() const override { return identity_; }
  const std::string& name() const override { return name_; }
  absl::Status JudgeAll(const std::vector<JudgeConversation>& conversations,
                        VerdictSink& sink) override {
    for (size_t i = 0; i < conversations.size() && !sink.ShouldStop(); ++i) {
      heard.push_back(conversations[i][0].text);
      Verdict verdict;
      verdict.first = 1;
      verdict.prompt_tokens = 10;
      verdict.answer_tokens = 2;
      const absl::Status status = sink.Done(i, verdict);
      if (!status.ok()) return status;
      if (heard.size() == stop_after) RequestStop();
    }
    return absl::OkStatus();
  }

  std::vector<std::string> heard;
  size_t stop_after = 1000;

 private:
  const std::string identity_ = "{}";
  const std::string name_ = "agreeing";
};

class VerdictAskerTest : public ::testing::Test {
 protected:
  absl::Status Ask(const std::vector<std::string>& names) {
    std::vector<std::string> keys;
    for (const std::string& name : names) keys.push_back(VerdictKey("{}", {name, "", ""}));
    return asker_.AskForMissing(keys, [&](size_t i) {
      return JudgeConversation{{"user", names[i]}};
    });
  }
  void TearDown() override { ClearStopRequest(); }

  ScratchFolder folder_;
  std::unique_ptr<VerdictStore> store_ = *VerdictStore::Open(folder_ / "store");
  AgreeingJudge judge_;
  RecordingSink events_;
  VerdictAsker asker_{judge_, *store_, events_, nullptr};
};

TEST_F(VerdictAskerTest, AsksForWhatIsMissingOnce) {
  ASSERT_TRUE(Ask({"a", "b", "a"}).ok());
  EXPECT_EQ(judge_.heard, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(asker_.asked(), 2);
  EXPECT_EQ(asker_.prompt_tokens(), 20);
  EXPECT_EQ(asker_.answer_tokens(), 4);
  ASSERT_TRUE(Ask({"b", "c"}).ok());
  EXPECT_EQ(judge_.heard.back(), "c");
  EXPECT_EQ(asker_.asked(), 3);
  EXPECT_EQ(store_->size(), 3);
}

TEST_F(VerdictAskerTest, StopsWithWhatItHas) {
  judge_.stop_after = 2;
  EXPECT_EQ(ExitCodeOf(Ask({"a", "b", "c"})), ExitCode::kStopped);
  EXPECT_EQ(store_->size(), 2);
}

TEST_F(VerdictAskerTest, WithoutAStoreNothingIsOpened) {
  JudgeOptions options;
  EXPECT_FALSE(OpenVerdicts(options, events_).ok());
  options.verdicts = folder_ / "other";
  EXPECT_TRUE(OpenVerdicts(options, events_).ok());
}

TEST_F(VerdictAskerTest, ReasonsNeedTokens) {
  JudgeOptions options;
  options.judge = "https://host/v1";
  options.endpoint.chat.model = "m";
  const auto letter = OpenJudge(options, DefaultJudgePrompt(), events_);
  const auto grade = OpenJudge(options, DefaultJudgePrompt(VerdictForm::kGrade), events_);
  ASSERT_TRUE(letter.ok() && grade.ok());
  EXPECT_NE((*letter)->identity().find("\"max_tokens\":1,"), std::string::npos);
  EXPECT_NE((*grade)->identity().find("\"max_tokens\":2048,"), std::string::npos);
}

}  // namespace
}  // namespace fpo::train
