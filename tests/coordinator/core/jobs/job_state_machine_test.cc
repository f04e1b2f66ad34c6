#include "coordinator/core/jobs/job_state_machine.h"

#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "coordinator/core/jobs/restart_rules.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::Test;

Job ReservedJob(const std::vector<std::string>& workers = {"w1"}) {
  Reserve reserve;
  for (const std::string& worker : workers) reserve.members.push_back(MemberOn(worker));
  return After(MakeJob("j-1"), {reserve});
}

Job Failed(const Job& job, std::optional<EndClass> end_class, const std::string& message = "boom") {
  return After(job, {ReportOf(job, "w1", ReportStatus::kFailed, end_class, message)});
}

// Runs the next attempt up to RUNNING.
Job NextAttempt(Job job) {
  job = After(job, {Reserve{{MemberOn("w1")}}});
  return After(job, {ReportOf(job, "w1", ReportStatus::kRunning)});
}

ErrorReason Reason(const Job& job, const JobEvent& event) {
  return ReasonOf(Apply(job, event, kStart).status());
}

TEST(StateTable, ReserveMakesAnAttemptWithTheNextEpoch) {
  const Job job = ReservedJob();
  EXPECT_EQ(job.state, JobState::kReserved);
  EXPECT_EQ(job.epoch, 1u);
  ASSERT_EQ(job.attempts.size(), 1u);
  EXPECT_EQ(job.attempts[0].number, 1);
  EXPECT_EQ(job.attempts[0].epoch, 1u);
  EXPECT_EQ(Reason(job, Reserve{{MemberOn("w2")}}), ErrorReason::kIllegalTransition);
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
  job = After(job, {ReportOf(job, "w2", ReportStatus::kRefused, {}, "no device memory")});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.restarts_used, 0);
  EXPECT_EQ(job.attempts_without_progress, 0);
  EXPECT_EQ(job.not_before, kStart + absl::Seconds(5));
  EXPECT_NE(job.reason.find("no device memory"), std::string::npos);
  EXPECT_EQ(Reason(job, ReportOf(job, "w1", ReportStatus::kAccepted)), ErrorReason::kStaleEpoch);
}

TEST(StateTable, ReservationExpires) {
  const Job job = After(ReservedJob(), {ReservationExpired{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_NE(job.reason.find("w1"), std::string::npos);
  EXPECT_EQ(Reason(RunningJob("j-1"), ReservationExpired{}), ErrorReason::kIllegalTransition);
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

TEST(StateTable, ASuccessMaySayWhatTheUserShouldKnow) {
  MemberReport report = ReportOf(RunningJob("j-1"), "w1", ReportStatus::kSucceeded);
  EXPECT_EQ(After(RunningJob("j-1"), {report}).reason, "");
  report.message = "nothing was trained";
  const Job job = After(RunningJob("j-1"), {report});
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.reason, "nothing was trained");
  EXPECT_EQ(job.attempts.back().end_message, "nothing was trained");
  EXPECT_EQ(job.attempts.back().end_class, EndClass::kDone);
}

TEST(StateTable, SucceedsWhenEveryMemberSucceeded) {
  Job job = RunningJob("j-1", {"w1", "w2"});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kSucceeded)});
  EXPECT_EQ(job.state, JobState::kRunning);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kSucceeded)});
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.ended, kStart);
  EXPECT_EQ(job.attempts[0].end_class, EndClass::kDone);
}

TEST(StateTable, TerminalIsFinal) {
  const Job job =
      After(RunningJob("j-1"), {ReportOf(RunningJob("j-1"), "w1", ReportStatus::kSucceeded)});
  EXPECT_EQ(Reason(job, CancelRequest{}), ErrorReason::kJobTerminal);
  EXPECT_EQ(Reason(job, ReportOf(job, "w1", ReportStatus::kFailed, EndClass::kProgram)),
            ErrorReason::kJobTerminal);
  EXPECT_EQ(Reason(job, MemberLost{LastAttemptRef(job), "w1", "gone"}), ErrorReason::kJobTerminal);
  EXPECT_EQ(Reason(job, Reserve{{MemberOn("w1")}}), ErrorReason::kJobTerminal);
  EXPECT_EQ(Reason(job, ResolveStopped{}), ErrorReason::kJobTerminal);
}

TEST(StateTable, AFailedRankRecoversThenQueuesWithItsAgeAndAQuickFirstRetry) {
  Job job = Failed(RunningJob("j-1"), EndClass::kProgram);
  EXPECT_EQ(job.state, JobState::kRecovering);
  EXPECT_EQ(job.attempts[0].end_class, EndClass::kProgram);
  EXPECT_EQ(job.attempts[0].end_message, "boom");
  job = After(job, {ResolveStopped{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.submitted, kStart);
  EXPECT_EQ(job.restarts_used, 1);
  EXPECT_EQ(job.not_before, kStart + absl::Seconds(1));
}

TEST(StateTable, RecoveryWaitsForSurvivorsOrTheFence) {
  Job job = Failed(RunningJob("j-1", {"w1", "w2"}), EndClass::kProgram);
  EXPECT_EQ(Reason(job, ResolveStopped{}), ErrorReason::kIllegalTransition);
  EXPECT_NE(job.reason.find("w2"), std::string::npos);
  EXPECT_EQ(After(job, {ResolveStopped{}}, kStart + kFenceWait).state, JobState::kQueued);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kStopped)});
  EXPECT_EQ(job.state, JobState::kRecovering);
  EXPECT_EQ(job.attempts[0].end_class, EndClass::kProgram)
      << "the first failing member tells the story";
  EXPECT_EQ(After(job, {ResolveStopped{}}).state, JobState::kQueued);
}

TEST(StateTable, ALostWorkerAdvancesTheEpochFirst) {
  const Job running = RunningJob("j-1");
  Job job = After(running, {MemberLost{LastAttemptRef(running), "w1", "no heartbeat for 15s"}});
  EXPECT_EQ(job.state, JobState::kRecovering);
  EXPECT_GT(job.epoch, running.epoch);
  EXPECT_FALSE(IsCurrent(job, LastAttemptRef(running)));
  EXPECT_EQ(job.attempts[0].end_class, EndClass::kInfrastructure);
  job = After(job, {ResolveStopped{}});
  EXPECT_EQ(job.restarts_used, 0) << "infrastructure is not the job's fault";
  EXPECT_EQ(Reason(job, ReportOf(running, "w1", ReportStatus::kSucceeded)),
            ErrorReason::kStaleEpoch);
}

TEST(StateTable, EpochsOnlyGrow) {
  Job job = RunningJob("j-1");
  uint64_t before = job.epoch;
  for (int i = 0; i < 2; ++i) {
    job = After(job, {MemberLost{LastAttemptRef(job), "w1", "x"}, ResolveStopped{}});
    job = NextAttempt(job);
    EXPECT_GT(job.attempts.back().epoch, before);
    EXPECT_EQ(job.attempts.back().number, i + 2);
    before = job.attempts.back().epoch;
  }
}

TEST(StateTable, InvalidFailsAtOnceWithItsMessage) {
  const Job job = Failed(RunningJob("j-1"), EndClass::kInvalid, "no such file /data/x.jsonl");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.reason, "invalid: no such file /data/x.jsonl");
}

TEST(StateTable, InvalidFailsTheGangOnceItsSurvivorsStopped) {
  Job job = Failed(RunningJob("j-1", {"w1", "w2"}), EndClass::kInvalid);
  EXPECT_EQ(job.state, JobState::kRecovering);
  job = After(job, {ReportOf(job, "w2", ReportStatus::kStopped), ResolveStopped{}});
  EXPECT_EQ(job.state, JobState::kFailed);
}

TEST(StateTable, HostsThatPreparedOtherDataEndTheJobBeforeTheReference) {
  Job job = RunningJob("j-1", {"w1", "w2"});
  const auto prepared = [&](const std::string& worker, const std::string& digest) {
    MemberReport report = ReportOf(job, worker, ReportStatus::kRunning);
    report.prepared = digest;
    return report;
  };
  job = After(job, {prepared("w1", "d1"), prepared("w2", "d1"), prepared("w2", "")});
  EXPECT_EQ(job.state, JobState::kRunning);
  EXPECT_EQ(job.attempts.back().members[1].prepared, "d1") << "a report without one forgets none";
  job = After(job, {prepared("w2", "d2")});
  EXPECT_EQ(job.state, JobState::kRecovering);
  EXPECT_NE(job.reason.find("data-differs: from the same job worker w2 prepared other data than "
                            "worker w1"),
            std::string::npos)
      << job.reason;
  job = After(job, {ReportOf(job, "w1", ReportStatus::kStopped),
                    ReportOf(job, "w2", ReportStatus::kStopped), ResolveStopped{}});
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.reason.rfind("invalid: data-differs", 0), 0u) << job.reason;
}

TEST(StateTable, OutOfMemoryFailsUnlessRetryIsAsked) {
  EXPECT_EQ(Failed(RunningJob("j-1"), EndClass::kMemory).state, JobState::kFailed);
  Job job = RunningJob("j-1");
  job.demand.retry_on_oom = true;
  job = After(Failed(job, EndClass::kMemory), {ResolveStopped{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.restarts_used, 1);
}

TEST(RestartBudget, IsSpentByProgramFailuresOnly) {
  Job job = RunningJob("j-1");
  job.demand.max_restarts = 1;
  for (int i = 0; i < 4; ++i) {
    job.attempts.back().progressed = true;
    job = NextAttempt(After(Failed(job, EndClass::kInfrastructure), {ResolveStopped{}}));
  }
  EXPECT_EQ(job.restarts_used, 0);
  job.attempts.back().progressed = true;
  job = NextAttempt(After(Failed(job, EndClass::kProgram), {ResolveStopped{}}));
  job.attempts.back().progressed = true;
  job = Failed(job, EndClass::kProgram, "segfault");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.reason, "restart budget spent (1 of 1); program: segfault");
}

TEST(RestartBudget, UnknownClassesCountAsProgram) {
  Job job = RunningJob("j-1");
  job.demand.max_restarts = 0;
  EXPECT_EQ(Failed(job, std::nullopt).reason, "restart budget spent (0 of 0); program: boom");
  EXPECT_EQ(Failed(job, EndClass::kDone).reason, "restart budget spent (0 of 0); program: boom");
}

TEST(NoProgress, ThreeAttemptsOfAnyClassInARowFail) {
  Job job = RunningJob("j-1");
  job = NextAttempt(After(Failed(job, EndClass::kInfrastructure), {ResolveStopped{}}));
  job = NextAttempt(After(Failed(job, EndClass::kProgram), {ResolveStopped{}}));
  job = Failed(job, EndClass::kInfrastructure, "lost");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.reason.rfind("no-progress", 0), 0u) << job.reason;
}

TEST(NoProgress, IsForgottenAfterAnAttemptThatProgressed) {
  Job job = RunningJob("j-1");
  for (int i = 0; i < 8; ++i) {
    job.attempts.back().progressed = i % 2 == 1;
    job = NextAttempt(After(Failed(job, EndClass::kInfrastructure), {ResolveStopped{}}));
  }
  EXPECT_EQ(job.state, JobState::kRunning);
}

TEST(Cancel, IsImmediateWithoutProcesses) {
  const Job job = After(MakeJob("j-1"), {CancelRequest{}});
  EXPECT_EQ(job.state, JobState::kCancelled);
  EXPECT_EQ(job.ended, kStart);
  const Job recovering = Failed(RunningJob("j-1"), EndClass::kProgram);
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
  EXPECT_EQ(job.attempts[0].end_class, EndClass::kAsked);
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
  job = After(job, {ReportOf(job, "w1", ReportStatus::kStopped), ResolveStopped{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.restarts_used, 0);
  EXPECT_EQ(job.attempts[0].end_class, EndClass::kAsked);
}

TEST(StateTable, UnsatisfiableFailsAWaitingJobOnly) {
  EXPECT_EQ(After(MakeJob("j-1"), {Unsatisfiable{"no-worker-fits: 8 of 2"}}).reason,
            "no-worker-fits: 8 of 2");
  EXPECT_EQ(Reason(RunningJob("j-1"), Unsatisfiable{"x"}), ErrorReason::kIllegalTransition);
}

TEST(StateTable, RepeatedReportsChangeNothing) {
  const Job job = RunningJob("j-1", {"w1", "w2"});
  EXPECT_EQ(After(job, {ReportOf(job, "w1", ReportStatus::kRunning)}), job);
  EXPECT_EQ(After(job, {ReportOf(job, "w1", ReportStatus::kAccepted)}), job);
  const Job failed = Failed(job, EndClass::kProgram);
  EXPECT_EQ(Failed(failed, EndClass::kProgram, "again"), failed);
}

TEST(StateTable, StrangersAndOldEpochsAreStale) {
  const Job job = RunningJob("j-1");
  EXPECT_EQ(Reason(job, ReportOf(job, "w9", ReportStatus::kFailed)), ErrorReason::kStaleEpoch);
  MemberReport old = ReportOf(job, "w1", ReportStatus::kFailed);
  old.attempt.epoch = 0;
  EXPECT_EQ(Reason(job, old), ErrorReason::kStaleEpoch);
  EXPECT_EQ(Reason(job, MemberLost{old.attempt, "w1", "x"}), ErrorReason::kStaleEpoch);
}

TEST(Hold, KeepsAWaitingJobFromStartingUntilItIsReleased) {
  Job job = After(MakeJob("j-1"), {HoldRequest{}});
  EXPECT_EQ(job.state, JobState::kHeld);
  EXPECT_EQ(After(job, {HoldRequest{}}), job);
  EXPECT_EQ(Reason(job, Reserve{{MemberOn("w1")}}), ErrorReason::kIllegalTransition);
  EXPECT_EQ(After(job, {CancelRequest{}}).state, JobState::kCancelled);
  job = After(job, {ReleaseRequest{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.submitted, kStart) << "it keeps its age";
  EXPECT_EQ(After(job, {ReleaseRequest{}}), job);
}

Job Paused(Job job) {
  job = After(job, {PauseRequest{absl::Seconds(30)}});
  return After(job, {ReportOf(job, "w1", ReportStatus::kStopped)});
}

TEST(Pause, FreesTheSlotsAndResumesWithoutTouchingAnyCounter) {
  Job job = RunningJob("j-1");
  job.checkpoint_step = 40;
  const AttemptRef ref = LastAttemptRef(job);
  job = After(job, {PauseRequest{absl::Seconds(30)}});
  EXPECT_EQ(job.state, JobState::kPausing);
  EXPECT_EQ(job.stop_by, kStart + absl::Seconds(30));
  EXPECT_EQ(job.reason, "pausing: waiting for w1 to stop");
  job = After(job, {ReportOf(job, "w1", ReportStatus::kStopped)});
  EXPECT_EQ(job.state, JobState::kPaused);
  EXPECT_FALSE(IsCurrent(job, ref));
  EXPECT_EQ(job.attempts[0].end_class, EndClass::kAsked);
  EXPECT_EQ(After(job, {PauseRequest{}}), job);
  job = After(job, {ResumeRequest{}});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.restarts_used, 0);
  EXPECT_EQ(job.attempts_without_progress, 0);
  EXPECT_LE(job.not_before, kStart);
}

TEST(Pause, AnUnconfirmedStopIsFencedInTheEnd) {
  Job job = After(RunningJob("j-1"), {PauseRequest{absl::Seconds(30)}});
  EXPECT_EQ(Reason(job, ResolveStopped{}), ErrorReason::kIllegalTransition);
  EXPECT_EQ(FenceEnd(job), kStart + absl::Seconds(90));
  const uint64_t epoch = job.epoch;
  job = After(job, {ResolveStopped{}}, FenceEnd(job));
  EXPECT_EQ(job.state, JobState::kPaused);
  EXPECT_GT(job.epoch, epoch);
}

TEST(Pause, AResultThatComesMeanwhileIsAResult) {
  const Job job = After(RunningJob("j-1"), {PauseRequest{}});
  EXPECT_EQ(After(job, {ReportOf(job, "w1", ReportStatus::kSucceeded)}).state,
            JobState::kSucceeded);
}

TEST(Pause, OneMemberOfAGangThatFinishedIsNoResult) {
  Job job = After(RunningJob("j-1", {"w1", "w2"}), {PauseRequest{}});
  job = After(job, {ReportOf(job, "w2", ReportStatus::kStopped)});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kSucceeded)});
  EXPECT_EQ(job.state, JobState::kPaused);
}

TEST(Pause, AFailureWhileStoppingIsRemembered) {
  Job job = After(RunningJob("j-1"), {PauseRequest{}});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kFailed, EndClass::kProgram, "no space")});
  EXPECT_EQ(job.state, JobState::kPaused);
  EXPECT_EQ(job.attempts[0].end_message, "paused on request; no space");
}

TEST(Preemption, QueuesAgainByItselfAndIsNeverCounted) {
  Job job = RunningJob("j-1");
  for (int i = 0; i < 6; ++i) {
    job = After(job, {Preempt{absl::Seconds(30), "preempted: room"}});
    EXPECT_EQ(job.state, JobState::kPreempting);
    job = After(job, {ReportOf(job, "w1", ReportStatus::kStopped)});
    EXPECT_EQ(job.state, JobState::kQueued);
    EXPECT_EQ(job.attempts.back().end_message, "preempted: room");
    job = NextAttempt(job);
  }
  EXPECT_EQ(job.restarts_used, 0);
  EXPECT_EQ(job.attempts_without_progress, 0);
}

TEST(Preemption, AnAgentThatShutsDownPreemptsItsJobs) {
  Job job = RunningJob("j-1", {"w1", "w2"});
  job = After(job, {ReportOf(job, "w1", ReportStatus::kFailed, EndClass::kAsked, "it shuts down")});
  EXPECT_EQ(job.state, JobState::kPreempting);
  job = After(job,
              {ReportOf(job, "w2", ReportStatus::kFailed, EndClass::kInfrastructure, "peer lost")});
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.attempts_without_progress, 0);
  EXPECT_TRUE(job.host_faults.empty());
}

TEST(Cancel, NowShortensTheGraceAndNothingLengthensIt) {
  Job job = After(RunningJob("j-1"), {CancelRequest{absl::Seconds(30)}});
  EXPECT_EQ(job.stop_by, kStart + absl::Seconds(30));
  job = After(job, {CancelRequest{}}, kStart + absl::Seconds(1));
  EXPECT_EQ(job.stop_by, kStart + absl::Seconds(1));
  EXPECT_EQ(After(job, {CancelRequest{absl::Hours(1)}}, kStart + absl::Seconds(2)), job);
}

TEST(Cancel, OvertakesAPause) {
  Job job = After(RunningJob("j-1"), {PauseRequest{absl::Minutes(2)}, CancelRequest{}});
  EXPECT_EQ(job.state, JobState::kCancelling);
  EXPECT_EQ(job.stop_by, kStart);
  job = After(job, {ReportOf(job, "w1", ReportStatus::kStopped)});
  EXPECT_EQ(job.state, JobState::kCancelled);
}

TEST(Priority, ChangesInEveryStateThatIsNotTerminal) {
  EXPECT_EQ(After(RunningJob("j-1"), {PriorityRequest{900}}).demand.priority, 900);
  EXPECT_EQ(Reason(After(MakeJob("j-1"), {CancelRequest{}}), PriorityRequest{1}),
            ErrorReason::kJobTerminal);
}

TEST(HostFaults, AHostIsAvoidedAfterTwoInARowOrAFailedPreflight) {
  Job job = RunningJob("j-1");
  job = After(job, {MemberLost{LastAttemptRef(job), "w1", "gone"}, ResolveStopped{}});
  EXPECT_FALSE(IsExcluded(job, "w1"));
  job = NextAttempt(job);
  job = After(Failed(job, EndClass::kInfrastructure), {ResolveStopped{}});
  EXPECT_TRUE(IsExcluded(job, "w1"));

  Job starting = ReservedJob();
  starting = After(starting, {ReportOf(starting, "w1", ReportStatus::kAccepted)});
  EXPECT_TRUE(IsExcluded(Failed(starting, EndClass::kInfrastructure, "no disk"), "w1"));
}

// Each row of the state table: from, event, to; nothing: the event does not apply.
struct Row {
  const char* name;
  JobState from;
  JobEvent event;
  std::optional<JobState> to;
};

Job InState(JobState state) {
  const Job running = RunningJob("j-1");
  switch (state) {
    case JobState::kQueued:
      return MakeJob("j-1");
    case JobState::kHeld:
      return After(MakeJob("j-1"), {HoldRequest{}});
    case JobState::kReserved:
      return ReservedJob();
    case JobState::kStarting:
      return After(ReservedJob(), {ReportOf(ReservedJob(), "w1", ReportStatus::kAccepted)});
    case JobState::kRecovering:
      return Failed(RunningJob("j-1", {"w1", "w2"}), EndClass::kProgram);
    case JobState::kPausing:
      return After(running, {PauseRequest{absl::Seconds(30)}});
    case JobState::kPaused:
      return Paused(running);
    case JobState::kPreempting:
      return After(running, {Preempt{absl::Seconds(30), "why"}});
    case JobState::kCancelling:
      return After(running, {CancelRequest{absl::Seconds(30)}});
    case JobState::kSucceeded:
      return After(running, {ReportOf(running, "w1", ReportStatus::kSucceeded)});
    case JobState::kFailed:
      return Failed(running, EndClass::kInvalid);
    case JobState::kCancelled:
      return After(MakeJob("j-1"), {CancelRequest{}});
    default:
      return running;
  }
}

class StateRow : public ::testing::TestWithParam<Row> {};

TEST_P(StateRow, IsAsSpecified) {
  const Job job = InState(GetParam().from);
  ASSERT_EQ(job.state, GetParam().from);
  const absl::StatusOr<Job> after = Apply(job, GetParam().event, kStart);
  if (GetParam().to) {
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ(after->state, *GetParam().to);
    EXPECT_GE(after->epoch, job.epoch);
  } else {
    const ErrorReason reason = ReasonOf(after.status());
    EXPECT_EQ(reason,
              IsTerminal(job.state) ? ErrorReason::kJobTerminal : ErrorReason::kIllegalTransition);
  }
}

std::vector<Row> Rows() {
  using S = JobState;
  const std::vector<S> all = {S::kQueued,     S::kHeld,       S::kReserved,  S::kStarting,
                              S::kRunning,    S::kRecovering, S::kPausing,   S::kPaused,
                              S::kPreempting, S::kCancelling, S::kSucceeded, S::kFailed,
                              S::kCancelled};
  struct Column {
    const char* name;
    JobEvent event;
    std::map<S, S> to;  // states where it applies
  };
  const std::vector<Column> columns = {
      {"reserve", Reserve{{MemberOn("w1")}}, {{S::kQueued, S::kReserved}}},
      {"expire", ReservationExpired{}, {{S::kReserved, S::kQueued}}},
      {"hold", HoldRequest{}, {{S::kQueued, S::kHeld}, {S::kHeld, S::kHeld}}},
      {"release", ReleaseRequest{}, {{S::kHeld, S::kQueued}, {S::kQueued, S::kQueued}}},
      {"pause",
       PauseRequest{absl::Seconds(30)},
       {{S::kReserved, S::kPausing},
        {S::kStarting, S::kPausing},
        {S::kRunning, S::kPausing},
        {S::kPreempting, S::kPausing},
        {S::kPausing, S::kPausing},
        {S::kPaused, S::kPaused}}},
      {"resume", ResumeRequest{}, {{S::kPaused, S::kQueued}, {S::kQueued, S::kQueued}}},
      {"preempt",
       Preempt{absl::Seconds(30), "why"},
       {{S::kReserved, S::kPreempting},
        {S::kStarting, S::kPreempting},
        {S::kRunning, S::kPreempting}}},
      {"unsatisfiable",
       Unsatisfiable{"nothing fits"},
       {{S::kQueued, S::kFailed}, {S::kHeld, S::kFailed}}},
      {"settle", ResolveStopped{}, {}},  // too early everywhere: not confirmed
      {"cancel",
       CancelRequest{absl::Seconds(30)},
       {{S::kQueued, S::kCancelled},
        {S::kHeld, S::kCancelled},
        {S::kPaused, S::kCancelled},
        {S::kReserved, S::kCancelling},
        {S::kStarting, S::kCancelling},
        {S::kRunning, S::kCancelling},
        {S::kRecovering, S::kCancelling},
        {S::kPausing, S::kCancelling},
        {S::kPreempting, S::kCancelling},
        {S::kCancelling, S::kCancelling}}},
  };
  std::vector<Row> rows;
  for (const Column& column : columns) {
    for (const S from : all) {
      const auto to = column.to.find(from);
      rows.push_back({column.name, from, column.event,
                      to == column.to.end() ? std::nullopt : std::optional<S>(to->second)});
    }
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Table, StateRow, ::testing::ValuesIn(Rows()), [](const auto& test) {
  return absl::StrCat(test.param.name, "_", Name(test.param.from));
});

// Any order of any events: terminal is final, epochs and counters only grow, attempts number up.
TEST(Property, RandomEventsKeepTheInvariants) {
  uint64_t random = 20260101;
  const auto next = [&random](uint64_t below) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((random >> 33) % below);
  };
  const std::vector<std::string> workers = {"w1", "w2"};
  const std::vector<EndClass> classes = {EndClass::kInvalid, EndClass::kMemory, EndClass::kProgram,
                                         EndClass::kInfrastructure, EndClass::kAsked};
  std::map<JobState, int> seen;
  for (int round = 0; round < 3000; ++round) {
    Job job = MakeJob("j-1", 2);
    job.demand.max_restarts = 1 + static_cast<int64_t>(next(3));
    absl::Time now = kStart;
    for (int i = 0; i < 60; ++i) {
      now += absl::Seconds(static_cast<int64_t>(next(40)));
      AttemptRef ref = LastAttemptRef(job);
      if (next(8) == 0 && ref.epoch > 0) --ref.epoch;  // a zombie's
      const std::string& worker = workers[next(2)];
      const std::vector<JobEvent> events = {
          Reserve{{MemberOn("w1"), MemberOn("w2", 1, 1)}},
          MemberReport{{ref, ReportStatus::kAccepted, {}, ""}, worker},
          MemberReport{{ref, ReportStatus::kRunning, {}, ""}, worker},
          MemberReport{{ref, ReportStatus::kSucceeded, {}, ""}, worker},
          MemberReport{{ref, ReportStatus::kFailed, classes[next(5)], "m"}, worker},
          MemberReport{{ref, ReportStatus::kStopped, {}, ""}, worker},
          MemberReport{{ref, ReportStatus::kRefused, {}, "m"}, worker},
          ReservationExpired{},
          MemberLost{ref, worker, "lost"},
          ResolveStopped{},
          PauseRequest{},
          ResumeRequest{},
          HoldRequest{},
          ReleaseRequest{},
          Preempt{absl::Seconds(5), "room"},
          PriorityRequest{static_cast<int64_t>(next(1000))},
          CancelRequest{absl::Seconds(5)},
          Unsatisfiable{"x"}};
      // Ends are rare, so that long lives are looked at too.
      size_t pick = next(events.size());
      if (pick >= events.size() - 2 && next(12) != 0) pick = 9;
      const absl::StatusOr<Job> after = Apply(job, events[pick], now);
      ++seen[job.state];
      if (!after.ok()) continue;
      ASSERT_FALSE(IsTerminal(job.state)) << "terminal is final";
      ASSERT_GE(after->epoch, job.epoch);
      ASSERT_GE(after->restarts_used, job.restarts_used);
      ASSERT_LE(after->restarts_used, job.demand.max_restarts);
      ASSERT_GE(after->attempts.size(), job.attempts.size());
      ASSERT_LE(after->attempts.size(), job.attempts.size() + 1);
      for (size_t a = 0; a < job.attempts.size(); ++a) {
        ASSERT_EQ(after->attempts[a].number, static_cast<int32_t>(a) + 1);
        if (job.attempts[a].ended) {
          ASSERT_EQ(after->attempts[a].end_class, job.attempts[a].end_class);
        }
      }
      if (after->attempts.size() > job.attempts.size()) {
        ASSERT_GT(after->epoch, job.epoch);
      }
      if (!HasAttempt(after->state) && !after->attempts.empty() && !IsTerminal(after->state)) {
        ASSERT_FALSE(IsCurrent(*after, LastAttemptRef(*after))) << "its zombies are fenced";
      }
      job = *after;
      if (!job.attempts.empty()) job.attempts.back().progressed = next(2) == 0;
    }
  }
  EXPECT_EQ(seen.size(), kEnumSize<JobState>) << "every state was visited";
}

}  // namespace
}  // namespace fpo::coordinator
