#include "coordinator/core/lines/line_intake.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;

class LineIntakeTest : public ::testing::Test {
 protected:
  LineIntakeTest() {
    SubmittedRequest request;
    request.request_id = "r";
    const JobPtr created = jobs_.Create(MakeJob(""), request, kStart).value();
    job_id_ = created->job_id;
    const JobPtr job = Apply(Reserve{{MemberOn("w1")}});
    ref_ = LastAttemptRef(*job);
  }

  JobPtr Apply(const JobEvent& event) { return jobs_.ApplyEvent(job_id_, event, kStart).value(); }
  LogBatch Logs(uint64_t first, const std::vector<std::string>& texts) {
    LogBatch batch{{ref_, first}};
    for (const std::string& text : texts) batch.lines.push_back({0, LineStream::kStdout, 5, text});
    return batch;
  }
  EventBatch Events(uint64_t first, const std::vector<std::string>& lines) {
    EventBatch batch{{ref_, first}};
    for (const std::string& line : lines) batch.lines.push_back({.rank = 0, .text = line});
    return batch;
  }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    const std::vector<LogLine> lines = store_.ReadLogs(job_id_, {}).value().lines;
    for (const LogLine& line : lines) texts.push_back(line.text);
    return texts;
  }

  MemoryJobStore store_;
  JobTable jobs_{&store_};
  LogRetention retention_{LogLimits(), &store_, &jobs_};
  LineIntake intake_{&store_, &jobs_, &retention_};
  std::string job_id_;
  AttemptRef ref_;
};

TEST_F(LineIntakeTest, RepeatedLinesAreStoredOnce) {
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"a", "b"})).ok());
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"a", "b", "c"})).ok());
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(2, {"b"})).ok());
  EXPECT_THAT(Texts(), ElementsAre("a", "b", "c"));
}

TEST_F(LineIntakeTest, NumberingFromZeroWorksToo) {
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(0, {"a"})).ok());
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(0, {"a", "b"})).ok());
  EXPECT_THAT(Texts(), ElementsAre("a", "b"));
}

TEST_F(LineIntakeTest, RepetitionIsKnownAfterARestart) {
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"a", "b"})).ok());
  LineIntake restarted(&store_, &jobs_, &retention_);
  ASSERT_TRUE(restarted.AddLogs("w1", Logs(2, {"b", "c"})).ok());
  EXPECT_THAT(Texts(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(store_.ReadLogs(job_id_, {}).value().lines.back().cursor, 3u);
}

TEST_F(LineIntakeTest, EachWorkerNumbersItsOwnLines) {
  Apply(ReservationExpired{});
  ref_ = LastAttemptRef(*Apply(Reserve{{MemberOn("w1"), MemberOn("w2")}}));
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"a"})).ok());
  ASSERT_TRUE(intake_.AddLogs("w2", Logs(1, {"b"})).ok());
  EXPECT_THAT(Texts(), ElementsAre("a", "b"));
}

// The lines stay with the agent: none is lost, none acknowledged, and the session goes on.
TEST_F(LineIntakeTest, LogsWithoutSpaceWaitAtTheAgentAndComeAgainTogether) {
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"a", "b"})).ok());
  (void)intake_.TakeAcks();
  store_.FailLogs(absl::ResourceExhaustedError("disk full"));
  EXPECT_TRUE(intake_.AddLogs("w1", Logs(3, {"c", "d"})).ok());
  EXPECT_TRUE(intake_.AddLogs("w1", Logs(5, {"e"})).ok());
  EXPECT_TRUE(intake_.TakeAcks().empty());
  EXPECT_TRUE(intake_.AddEvents("w1", ParsedBatch(Events(1, {CheckpointLine(20)})), kStart).ok());
  EXPECT_EQ(jobs_.Get(job_id_)->checkpoint_step, 20) << "jobs go on";

  store_.FailLogs(absl::OkStatus());
  EXPECT_TRUE(intake_.AddLogs("w1", Logs(6, {"f"})).ok());
  EXPECT_THAT(Texts(), ElementsAre("a", "b")) << "those before it are still missing";
  const auto resends = intake_.TakeResends();
  ASSERT_EQ(resends.size(), 1u);
  EXPECT_EQ(resends[0].first, "w1");
  EXPECT_EQ(resends[0].second.from_seq, 3u);
  EXPECT_TRUE(intake_.TakeResends().empty()) << "once is enough";
  EXPECT_TRUE(intake_.AddLogs("w1", Logs(3, {"c", "d", "e", "f"})).ok());
  EXPECT_THAT(Texts(), ElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_FALSE(intake_.holds_logs());
  EXPECT_EQ(intake_.TakeAcks().back().second.logs_seq, 6u);
}

TEST_F(LineIntakeTest, LinesOfAWorkerThatWasNoMemberAreNobodys) {
  ASSERT_TRUE(intake_.AddLogs("w2", Logs(1, {"a"})).ok());
  AttemptRef other = ref_;
  ++ref_.epoch;  // as a restored store knows nothing of
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"b"})).ok());
  ASSERT_TRUE(intake_.AddEvents("w1", ParsedBatch(Events(1, {CheckpointLine(20)})), kStart).ok());
  std::swap(ref_, other);
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"c"})).ok());
  EXPECT_THAT(Texts(), ElementsAre("c"));
  EXPECT_EQ(jobs_.Get(job_id_)->checkpoint_step, 0);
  EXPECT_EQ(intake_.TakeCounts().strangers, 3);
  EXPECT_EQ(intake_.TakeAcks().size(), 3u) << "their agents need not keep them";
}

TEST_F(LineIntakeTest, EventsMoveTheJob) {
  ASSERT_TRUE(
      intake_
          .AddEvents("w1", ParsedBatch(Events(1, {PhaseLine("train"), CheckpointLine(20)})), kStart)
          .ok());
  EXPECT_EQ(jobs_.Get(job_id_)->checkpoint_step, 20);
  EXPECT_EQ(store_.LoadJobs().value().at(0), *jobs_.Get(job_id_)) << "stored with the events";
}

TEST_F(LineIntakeTest, ARepeatedEventCountsOnce) {
  const EventBatch batch = Events(1, {CheckpointLine(20)});
  ASSERT_TRUE(intake_.AddEvents("w1", ParsedBatch(batch), kStart).ok());
  const JobPtr before = jobs_.Get(job_id_);
  ASSERT_TRUE(intake_.AddEvents("w1", ParsedBatch(batch), kStart).ok());
  EXPECT_EQ(jobs_.Get(job_id_), before);
  EXPECT_EQ(store_.ReadEvents(job_id_, 0, 10).value().size(), 1u);
}

TEST_F(LineIntakeTest, OldEpochsAreEvidenceOnly) {
  Apply(MemberLost{ref_, "w1", "lease"});
  const JobPtr before = jobs_.Get(job_id_);
  ASSERT_TRUE(intake_.AddEvents("w1", ParsedBatch(Events(1, {CheckpointLine(99)})), kStart).ok());
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"last words"})).ok());
  EXPECT_EQ(jobs_.Get(job_id_), before);
  EXPECT_EQ(store_.ReadEvents(job_id_, 0, 10).value().size(), 1u);
  EXPECT_THAT(Texts(), ElementsAre("last words"));
}

TEST_F(LineIntakeTest, ALateResultOfTheFinishedAttemptCounts) {
  Apply(ReportOf(*jobs_.Get(job_id_), "w1", ReportStatus::kSucceeded));
  TrainEvent result = EventOf(EventKind::kResult);
  result.metrics["eval_loss"] = 0.25;
  ASSERT_TRUE(intake_.AddEvents("w1", ParsedBatch(Events(1, {EncodeEvent(result)})), kStart).ok());
  EXPECT_EQ(jobs_.Get(job_id_)->result.at("eval_loss"), 0.25);
  EXPECT_EQ(jobs_.Get(job_id_)->state, JobState::kSucceeded);
}

TEST_F(LineIntakeTest, AcksNameTheLastStoredLine) {
  EXPECT_TRUE(intake_.TakeAcks().empty());
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"a", "b"})).ok());
  ASSERT_TRUE(intake_.AddEvents("w1", ParsedBatch(Events(1, {PhaseLine("prepare")})), kStart).ok());
  auto acks = intake_.TakeAcks();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].first, "w1");
  EXPECT_EQ(acks[0].second.attempt, ref_);
  EXPECT_EQ(acks[0].second.events_seq, 1u);
  EXPECT_EQ(acks[0].second.logs_seq, 2u);
  EXPECT_TRUE(intake_.TakeAcks().empty());
  intake_.ReturnAcks(acks);
  EXPECT_EQ(intake_.TakeAcks().at(0).second.logs_seq, 2u);
}

TEST_F(LineIntakeTest, RefusedLinesAreNotAcknowledged) {
  store_.FailWrites(absl::UnavailableError("the store is being reopened"));
  EXPECT_FALSE(intake_.AddLogs("w1", Logs(1, {"a"})).ok());
  EXPECT_FALSE(intake_.AddEvents("w1", ParsedBatch(Events(1, {CheckpointLine(3)})), kStart).ok());
  EXPECT_TRUE(intake_.TakeAcks().empty());
  EXPECT_EQ(jobs_.Get(job_id_)->checkpoint_step, 0);
  store_.FailWrites(absl::OkStatus());
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"a"})).ok());
  EXPECT_THAT(Texts(), ElementsAre("a"));
}

TEST_F(LineIntakeTest, LinesOfUnknownJobsAreAcknowledgedSoThatTheAgentForgetsThem) {
  ref_.job_id = "j-unknown";
  ASSERT_TRUE(intake_.AddLogs("w1", Logs(1, {"a", "b"})).ok());
  EXPECT_EQ(intake_.TakeAcks().at(0).second.logs_seq, 2u);
}

}  // namespace
}  // namespace fpo::coordinator
