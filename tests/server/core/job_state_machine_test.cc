#include "server/core/job_state_machine.h"

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/server/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::Test;

Job ReservedJob(const std::vector<std::string>& workers = {"w1"}) {
  Reserve reserve;
  for (const std::string& worker : workers) reserve.members.push_back(MemberOn(worker));
  return After(MakeJob("j-1"), {reserve});
}

Job Failed(const Job& job, const std::string& end_class, const std::string& message = "boom") {
  return After(job, {ReportOf(job, "w1", ReportStatus::kFailed, end_class, message)});
}

// Runs the next attempt up to RUNNING.
Job NextAttempt(Job job) {
  job = After(job, {Reserve{{MemberOn("w1")}}});
  return After(job, {ReportOf(job, "w1", ReportStatus::kRunning)});
}

std::string Reason(const Job& job, const JobEvent& event) {
  return ErrorReason(Apply(job, event, kStart).status());
}

TEST(StateTable, ReserveMakesAnAttemptWithTheNextEpoch) {
  const Job job = ReservedJob();
  EXPECT_EQ(job.state, JobState::kReserved);
  EXPECT_EQ(job.epoch, 1u);
  ASSERT_EQ(job.attempts.size(), 1u);
  EXPECT_EQ(job.attempts[0].number, 1);
  EXPECT_EQ(job.attempts[0].epoch, 1u);
  EXPECT_EQ(Reason(job, Reserve{{MemberOn("w2")}}), "ILLEGAL_TRANSITION");
}

TEST(StateTable, ReservedStartsWhenEveryAgentAccepted) {
  Job job = ReservedJob({"w1", "w2"});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kAccepted)});
  EXPECT_EQ(job.state, JobState::kReserved);
  EXPECT_NE(job.reason.find("w2"), std::string::npos) << job.reason;
  EXPECT_EQ(job.started, std::nullopt);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kAccepted)});
  EXPECT_EQ(job.state, JobState::kStarting);
  EXPECT_EQ(job.started, kStart);
  EXPECT_EQ(job.reason, "");
}

TEST(StateTable, RefusalFreesAllAndBacksOffWithoutTouchingTheBudget) {
  Job job = ReservedJob({"w1", "w2"});
  job = After(job, {ReportOf(job, "w2", ReportStatus::kRefused, "", "no device memory")});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.restarts_used, 0);
  EXPECT_EQ(job.attempts_without_progress, 0);
  EXPECT_EQ(job.not_before, kStart + absl::Seconds(5));
  EXPECT_NE(job.reason.find("no device memory"), std::string::npos);
  EXPECT_EQ(Reason(job, ReportOf(job, "w1", ReportStatus::kAccepted)), "STALE_EPOCH");
}

TEST(StateTable, ReservationExpires) {
  const Job job = After(ReservedJob(), {ReservationExpired{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_NE(job.reason.find("w1"), std::string::npos);
  EXPECT_EQ(Reason(RunningJob("j-1"), ReservationExpired{}), "ILLEGAL_TRANSITION");
}

TEST(StateTable, RunsWhenEveryHostPassedPreflight) {
  Job job = ReservedJob({"w1", "w2"});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kAccepted),
                    ReportOf(job, "w2", ReportStatus::kAccepted),
                    ReportOf(job, "w1", ReportStatus::kRunning)});
  EXPECT_EQ(job.state, JobState::kStarting);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kRunning)});
  EXPECT_EQ(job.state, JobState::kRunning);
}

TEST(StateTable, ALostReportIsImpliedByALaterOne) {
  const Job job = ReservedJob();
  EXPECT_EQ(After(job, {ReportOf(job, "w1", ReportStatus::kRunning)}).state, JobState::kRunning);
  EXPECT_EQ(After(job, {ReportOf(job, "w1", ReportStatus::kSucceeded)}).state,
            JobState::kSucceeded);
}

TEST(StateTable, SucceedsWhenEveryMemberSucceeded) {
  Job job = RunningJob("j-1", {"w1", "w2"});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kSucceeded)});
  EXPECT_EQ(job.state, JobState::kRunning);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kSucceeded)});
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.ended, kStart);
  EXPECT_EQ(job.attempts[0].end_class, "done");
}

TEST(StateTable, TerminalIsFinal) {
  const Job job =
      After(RunningJob("j-1"), {ReportOf(RunningJob("j-1"), "w1", ReportStatus::kSucceeded)});
  EXPECT_EQ(Reason(job, CancelRequest{}), "JOB_TERMINAL");
  EXPECT_EQ(Reason(job, ReportOf(job, "w1", ReportStatus::kFailed, "program")), "JOB_TERMINAL");
  EXPECT_EQ(Reason(job, MemberLost{LastAttemptRef(job), "w1", "gone"}), "JOB_TERMINAL");
  EXPECT_EQ(Reason(job, Reserve{{MemberOn("w1")}}), "JOB_TERMINAL");
  EXPECT_EQ(Reason(job, Settle{}), "JOB_TERMINAL");
}

TEST(StateTable, AFailedRankRecoversThenQueuesWithItsAgeAndAQuickFirstRetry) {
  Job job = Failed(RunningJob("j-1"), "program");
  EXPECT_EQ(job.state, JobState::kRecovering);
  EXPECT_EQ(job.attempts[0].end_class, "program");
  EXPECT_EQ(job.attempts[0].end_message, "boom");
  job = After(job, {Settle{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.submitted, kStart);
  EXPECT_EQ(job.restarts_used, 1);
  EXPECT_EQ(job.not_before, kStart + absl::Seconds(1));
}

TEST(StateTable, RecoveryWaitsForSurvivorsOrTheFence) {
  Job job = Failed(RunningJob("j-1", {"w1", "w2"}), "program");
  EXPECT_EQ(Reason(job, Settle{}), "ILLEGAL_TRANSITION");
  EXPECT_NE(job.reason.find("w2"), std::string::npos);
  EXPECT_EQ(After(job, {Settle{}}, kStart + kFenceWait).state, JobState::kQueued);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kStopped)});
  EXPECT_EQ(job.state, JobState::kRecovering);
  EXPECT_EQ(job.attempts[0].end_class, "program") << "the first failing member tells the story";
  EXPECT_EQ(After(job, {Settle{}}).state, JobState::kQueued);
}

TEST(StateTable, ALostWorkerAdvancesTheEpochFirst) {
  const Job running = RunningJob("j-1");
  Job job = After(running, {MemberLost{LastAttemptRef(running), "w1", "no beat for 15s"}});
  EXPECT_EQ(job.state, JobState::kRecovering);
  EXPECT_GT(job.epoch, running.epoch);
  EXPECT_FALSE(IsCurrent(job, LastAttemptRef(running)));
  EXPECT_EQ(job.attempts[0].end_class, "infrastructure");
  job = After(job, {Settle{}});
  EXPECT_EQ(job.restarts_used, 0) << "infrastructure is not the job's fault";
  EXPECT_EQ(Reason(job, ReportOf(running, "w1", ReportStatus::kSucceeded)), "STALE_EPOCH");
}

TEST(StateTable, EpochsOnlyGrow) {
  Job job = RunningJob("j-1");
  uint64_t before = job.epoch;
  for (int i = 0; i < 2; ++i) {
    job = After(job, {MemberLost{LastAttemptRef(job), "w1", "x"}, Settle{}});
    job = NextAttempt(job);
    EXPECT_GT(job.attempts.back().epoch, before);
    EXPECT_EQ(job.attempts.back().number, i + 2);
    before = job.attempts.back().epoch;
  }
}

TEST(StateTable, InvalidFailsAtOnceWithItsMessage) {
  const Job job = Failed(RunningJob("j-1"), "invalid", "no such file /data/x.jsonl");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.reason, "invalid: no such file /data/x.jsonl");
}

TEST(StateTable, InvalidFailsTheGangOnceItsSurvivorsStopped) {
  Job job = Failed(RunningJob("j-1", {"w1", "w2"}), "invalid");
  EXPECT_EQ(job.state, JobState::kRecovering);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kStopped), Settle{}});
  EXPECT_EQ(job.state, JobState::kFailed);
}

TEST(StateTable, OutOfMemoryFailsUnlessRetryIsAsked) {
  EXPECT_EQ(Failed(RunningJob("j-1"), "memory").state, JobState::kFailed);
  Job job = RunningJob("j-1");
  job.demand.retry_on_oom = true;
  job = After(Failed(job, "memory"), {Settle{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.restarts_used, 1);
}

TEST(RestartBudget, IsSpentByProgramFailuresOnly) {
  Job job = RunningJob("j-1");
  job.demand.max_restarts = 1;
  for (int i = 0; i < 4; ++i) {
    job.attempts.back().progressed = true;
    job = NextAttempt(After(Failed(job, "infrastructure"), {Settle{}}));
  }
  EXPECT_EQ(job.restarts_used, 0);
  job.attempts.back().progressed = true;
  job = NextAttempt(After(Failed(job, "program"), {Settle{}}));
  job.attempts.back().progressed = true;
  job = Failed(job, "program", "segfault");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.reason, "restart budget spent (1 of 1); program: segfault");
}

TEST(RestartBudget, UnknownClassesCountAsProgram) {
  Job job = RunningJob("j-1");
  job.demand.max_restarts = 0;
  EXPECT_EQ(Failed(job, "of-a-newer-agent").state, JobState::kFailed);
}

TEST(NoProgress, ThreeAttemptsOfAnyClassInARowFail) {
  Job job = RunningJob("j-1");
  job = NextAttempt(After(Failed(job, "infrastructure"), {Settle{}}));
  job = NextAttempt(After(Failed(job, "program"), {Settle{}}));
  job = Failed(job, "infrastructure", "lost");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.reason.rfind("no-progress", 0), 0u) << job.reason;
}

TEST(NoProgress, IsForgottenAfterAnAttemptThatProgressed) {
  Job job = RunningJob("j-1");
  for (int i = 0; i < 8; ++i) {
    job.attempts.back().progressed = i % 2 == 1;
    job = NextAttempt(After(Failed(job, "infrastructure"), {Settle{}}));
  }
  EXPECT_EQ(job.state, JobState::kRunning);
}

TEST(Cancel, IsImmediateWithoutProcesses) {
  const Job job = After(MakeJob("j-1"), {CancelRequest{}});
  EXPECT_EQ(job.state, JobState::kCancelled);
  EXPECT_EQ(job.ended, kStart);
  const Job recovering = Failed(RunningJob("j-1"), "program");
  EXPECT_EQ(After(recovering, {CancelRequest{}}).state, JobState::kCancelled);
}

TEST(Cancel, WaitsUntilNoProcessIsLeft) {
  Job job = After(RunningJob("j-1", {"w1", "w2"}), {CancelRequest{}});
  EXPECT_EQ(job.state, JobState::kCancelling);
  EXPECT_EQ(After(job, {CancelRequest{}}), job) << "asking twice changes nothing";
  job = After(job, {ReportOf(job, "w1", ReportStatus::kStopped)});
  EXPECT_EQ(job.state, JobState::kCancelling);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kStopped)});
  EXPECT_EQ(job.state, JobState::kCancelled);
  EXPECT_EQ(job.attempts[0].end_class, "asked");
}

TEST(Cancel, ALostWorkerIsGone) {
  Job job = After(RunningJob("j-1"), {CancelRequest{}});
  const uint64_t epoch = job.epoch;
  job = After(job, {MemberLost{LastAttemptRef(job), "w1", "lease"}});
  EXPECT_EQ(job.state, JobState::kCancelled);
  EXPECT_GT(job.epoch, epoch);
}

TEST(Cancel, WinsOverAResultThatComesLater) {
  Job job = After(RunningJob("j-1"), {CancelRequest{}});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kSucceeded)});
  EXPECT_EQ(job.state, JobState::kCancelled);
}

TEST(StateTable, AnAgentThatStoppedByItselfIsNotCounted) {
  Job job = RunningJob("j-1");
  job = After(job, {ReportOf(job, "w1", ReportStatus::kStopped), Settle{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.restarts_used, 0);
  EXPECT_EQ(job.attempts[0].end_class, "asked");
}

TEST(StateTable, UnsatisfiableFailsAWaitingJobOnly) {
  EXPECT_EQ(After(MakeJob("j-1"), {Unsatisfiable{"no-worker-fits: 8 of 2"}}).reason,
            "no-worker-fits: 8 of 2");
  EXPECT_EQ(Reason(RunningJob("j-1"), Unsatisfiable{"x"}), "ILLEGAL_TRANSITION");
}

TEST(StateTable, RepeatedReportsChangeNothing) {
  const Job job = RunningJob("j-1", {"w1", "w2"});
  EXPECT_EQ(After(job, {ReportOf(job, "w1", ReportStatus::kRunning)}), job);
  EXPECT_EQ(After(job, {ReportOf(job, "w1", ReportStatus::kAccepted)}), job);
  const Job failed = Failed(job, "program");
  EXPECT_EQ(Failed(failed, "program", "again"), failed);
}

TEST(StateTable, StrangersAndOldEpochsAreStale) {
  const Job job = RunningJob("j-1");
  EXPECT_EQ(Reason(job, ReportOf(job, "w9", ReportStatus::kFailed)), "STALE_EPOCH");
  MemberReport old = ReportOf(job, "w1", ReportStatus::kFailed);
  old.ref.epoch = 0;
  EXPECT_EQ(Reason(job, old), "STALE_EPOCH");
  EXPECT_EQ(Reason(job, MemberLost{old.ref, "w1", "x"}), "STALE_EPOCH");
}

TEST(Backoff, DoublesToFiveMinutes) {
  EXPECT_EQ(RecoveryBackoff(0), absl::Seconds(1));
  EXPECT_EQ(RecoveryBackoff(1), absl::Seconds(5));
  EXPECT_EQ(RecoveryBackoff(3), absl::Seconds(20));
  EXPECT_EQ(RecoveryBackoff(1000), absl::Minutes(5));
  EXPECT_EQ(RefusalBackoff(0), absl::Seconds(5));
  EXPECT_EQ(RefusalBackoff(2), absl::Seconds(20));
  EXPECT_EQ(RefusalBackoff(1000), absl::Minutes(5));
}

}  // namespace
}  // namespace fpo::coordinator
