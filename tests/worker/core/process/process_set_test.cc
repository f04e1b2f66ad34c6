#include "worker/core/process/process_set.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/agent_fixture.h"

namespace fpo::worker {
namespace {

using fpo::testing::AgentParts;
using fpo::testing::FakeTrainer;
using fpo::testing::RecordingSink;
using ::testing::HasSubstr;
using ::testing::Not;

class ProcessSetTest : public ::testing::Test {
 protected:
  std::string Journal() { return fpo::testing::ReadWhole(parts_.work / "processes.json"); }

  AgentParts parts_;
  RecordingSink sink_;
  ProcessSet set_{&parts_.spawner, parts_.journal.get(), &parts_.metrics};
};

TEST_F(ProcessSetTest, WritesDownWhatRunsAndCountsHowItEnds) {
  const RankCommand command = FakeTrainer({"hang"});
  const auto process = set_.Start(command, sink_);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_THAT(Journal(), HasSubstr(command.identity.attempt.job_id));
  EXPECT_EQ(sink_.AwaitEvent(1), "waiting");
  set_.Stop(absl::Seconds(30));
  EXPECT_EQ(set_.Wait(*process).code, 7);
  EXPECT_THAT(Journal(), Not(HasSubstr(command.identity.attempt.job_id)));
  EXPECT_THAT(parts_.registry.Text(), HasSubstr("fpo_rank_exits_total{class=\"asked\"} 1"));
}

TEST_F(ProcessSetTest, StartsNothingAfterAStop) {
  set_.Stop(absl::Seconds(1));
  EXPECT_EQ(set_.Start(FakeTrainer({"talk"}), sink_).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ProcessSetTest, ASecondStopKills) {
  const auto process = set_.Start(FakeTrainer({"ignore-term"}), sink_);
  ASSERT_TRUE(process.ok());
  EXPECT_EQ(sink_.AwaitEvent(1), "waiting");
  set_.Stop(absl::Hours(1));
  set_.Stop(absl::ZeroDuration());
  EXPECT_EQ(set_.Wait(*process).signal, 9);
}

}  // namespace
}  // namespace fpo::worker
