#include "worker/core/reference/score_process.h"

#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "common/reference/record_file.h"
#include "common/reference/record_key.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/agent_fixture.h"

namespace fpo::worker {
namespace {

using fpo::testing::FakeTrainer;
using ::testing::HasSubstr;

class ScoreProcessTest : public ::testing::Test {
 protected:
  ScoreProcessTest() {
    std::vector<Digest> keys;
    for (int i = 0; i < 5; ++i) keys.push_back(Sha256Of("key " + std::to_string(i)));
    EXPECT_TRUE(WriteKeysFile(parts_.work / "reference.keys", keys).ok());
  }
  ScoreProcess Make(const std::string& labels,
                    absl::Duration stall_timeout = absl::ZeroDuration()) {
    std::filesystem::create_directories(parts_.work / "j/a1");
    fpo::testing::WriteWhole(parts_.work / "j/a1/job.json", "{\"labels\":{" + labels + "}}");
    return ScoreProcess(&processes_, &output_,
                        {FakeTrainer({"score", "--job", parts_.work / "j/a1/job.json", "--prepared",
                                      parts_.work.path(), "--serve"}),
                         stall_timeout},
                        stop_.get_token());
  }

  fpo::testing::AgentParts parts_;
  std::stop_source stop_;
  ProcessSet processes_{&parts_.spawner, parts_.journal.get(), &parts_.metrics};
  RankOutput output_{{"job", 1, 1}, -1, &parts_.outbox, &parts_.metrics};
};

TEST_F(ScoreProcessTest, ScoresOnRequest) {
  ScoreProcess scorer = Make("");
  ASSERT_TRUE(scorer.Start().ok());
  ASSERT_TRUE(scorer.Start().ok()) << "the second start does nothing";
  for (const char* name : {"a.fpr", "b.fpr"}) {
    const auto flops = scorer.Score({3, 1}, parts_.work / name, [](int64_t) {});
    ASSERT_TRUE(flops.ok()) << flops.status();
    EXPECT_EQ(*flops, 2e9);
    const auto file = RecordFile::Open(parts_.work / name);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->At(0)->key, Sha256Of("key 3"));
  }
  scorer.Finish();
  scorer.Finish();
  EXPECT_FALSE(scorer.failure().has_value());
  EXPECT_THAT(parts_.registry.Text(), HasSubstr("fpo_rank_exits_total{class=\"done\"} 1"));
}

TEST_F(ScoreProcessTest, AProcessThatEndsWhileLoadingSaysWhy) {
  ScoreProcess scorer = Make("\"score\":\"exit-5 no memory for the model\"");
  EXPECT_EQ(scorer.Start().code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(scorer.failure().has_value());
  EXPECT_EQ(scorer.failure()->end_class, EndClass::kMemory);
  EXPECT_THAT(scorer.failure()->message, HasSubstr("no memory for the model"));
}

TEST_F(ScoreProcessTest, AProcessThatDiesWhileScoringSaysHow) {
  ScoreProcess scorer = Make("\"score-command\":\"segv\"");
  ASSERT_TRUE(scorer.Start().ok());
  EXPECT_FALSE(scorer.Score({0}, parts_.work / "a.fpr", [](int64_t) {}).ok());
  EXPECT_EQ(scorer.failure()->end_class, EndClass::kProgram);
}

TEST_F(ScoreProcessTest, AnUnaskedEndIsAFault) {
  ScoreProcess scorer = Make("\"score-command\":\"exit-0\"");
  ASSERT_TRUE(scorer.Start().ok());
  EXPECT_FALSE(scorer.Score({0}, parts_.work / "a.fpr", [](int64_t) {}).ok());
  EXPECT_EQ(scorer.failure()->end_class, EndClass::kProgram);
}

TEST_F(ScoreProcessTest, OneThatHangsIsEndedAndSaysSo) {
  for (const char* when : {"\"score\":\"ignore-term\"", "\"score-command\":\"ignore-term\""}) {
    ScoreProcess scorer = Make(when, absl::Milliseconds(300));
    absl::Status status = scorer.Start();
    if (status.ok()) status = scorer.Score({0}, parts_.work / "a.fpr", [](int64_t) {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << when;
    ASSERT_TRUE(scorer.failure().has_value());
    EXPECT_EQ(scorer.failure()->end_class, EndClass::kInfrastructure);
    EXPECT_THAT(scorer.failure()->message, HasSubstr("silent for 300ms, taken for hung"));
  }
}

TEST_F(ScoreProcessTest, TellsOfLoadingWithNumbersAndOfItsCommandInWords) {
  parts_.outbox.Open({"job", 1, 1});
  parts_.outbox.StartSession();
  ScoreProcess scorer = Make("\"score-progress\":\"yes\"");
  ASSERT_TRUE(scorer.Start().ok());
  ASSERT_TRUE(scorer.Score({0}, parts_.work / "a.fpr", [](int64_t) {}).ok());
  scorer.Finish();
  std::vector<TrainEvent> told;
  while (const std::optional<Outgoing> next = parts_.outbox.Next(absl::ZeroDuration())) {
    const auto* events = std::get_if<EventBatch>(&*next);
    if (events == nullptr) continue;
    for (const auto& line : events->lines) {
      const auto event = ParseEvent(line.text);
      ASSERT_TRUE(event.ok()) << event.status();
      if (event->kind == EventKind::kProgress) told.push_back(*event);
    }
  }
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].activity, "loading");
  EXPECT_EQ(told[0].total, 4);
  EXPECT_EQ(told[0].unit, "bytes");
  // The phase has the numbers of the whole manifest.
  EXPECT_EQ(told[1].activity, "scoring 1 of 4 responses, forward: 1 of 2 layers");
  EXPECT_EQ(told[1].total, 0);
  EXPECT_EQ(told[1].unit, "");
}

TEST_F(ScoreProcessTest, AStopEndsTheWait) {
  ScoreProcess scorer = Make("\"score-command\":\"ignore-term\"");
  ASSERT_TRUE(scorer.Start().ok());
  int ticks = 0;
  const auto status = scorer.Score({0}, parts_.work / "a.fpr", [&](int64_t) {
    if (++ticks == 1) {
      stop_.request_stop();
      processes_.Stop(absl::ZeroDuration());
    }
  });
  EXPECT_EQ(status.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(scorer.failure().has_value());
}

}  // namespace
}  // namespace fpo::worker
