#include "coordinator/core/coordinator.h"

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

class CoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorTest() { Restart(); }
  void Restart() {
    coordinator_ = Coordinator::Open(options_, {&store_, &clock_, &clock_}).value();
  }
  std::string Submit(const std::string& name, int64_t slots = 1, int64_t priority = 500) {
    return coordinator_
        ->Submit({"r-" + std::to_string(++requests_), ConfigJson(name, slots, priority), "ada"})
        .value()
        .job->job_id;
  }
  std::shared_ptr<FakeLink> Connect(const std::string& worker, int32_t slots) {
    auto link = std::make_shared<FakeLink>();
    EXPECT_TRUE(coordinator_->Connect(HelloOf(worker, slots), link).ok());
    return link;
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    coordinator_->Tick();
  }
  JobPtr Get(const std::string& id) { return coordinator_->GetJob(id).value(); }
  void Report(const std::string& id, ReportStatus status, std::optional<EndClass> end_class = {}) {
    coordinator_->Report({{LastAttemptRef(*Get(id)), status, end_class, "boom"}, "w1"});
  }

  CoordinatorOptions options_;
  FakeClock clock_{kStart};
  MemoryJobStore store_;
  std::unique_ptr<Coordinator> coordinator_;
  int requests_ = 0;
};

TEST_F(CoordinatorTest, ASubmitIsStoredBeforeItIsAnswered) {
  const std::string id = Submit("tiny");
  EXPECT_EQ(store_.LoadJobs().value().at(0), *Get(id));
  EXPECT_EQ(Get("tiny")->owner, "ada");
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  EXPECT_FALSE(coordinator_->Submit({"r-x", ConfigJson("other"), "ada"}).ok());
  EXPECT_EQ(coordinator_->ListJobs({}).jobs.size(), 1u);
  EXPECT_EQ(coordinator_->Collect().counts.submissions.at("failed"), 1);
}

TEST_F(CoordinatorTest, TheEndOfAJobIsToldOnceAndNotThatOfEarlierPrograms) {
  std::vector<std::string> ended;
  options_.on_job_end = [&](const JobPtr& job) { ended.push_back(job->job_id); };
  Restart();
  const std::string id = Submit("tiny");
  EXPECT_TRUE(ended.empty());
  ASSERT_TRUE(coordinator_->Cancel(id, std::nullopt).ok());
  ASSERT_TRUE(coordinator_->Cancel(id, std::nullopt).ok());
  EXPECT_EQ(ended, std::vector<std::string>{id});
  Restart();
  EXPECT_EQ(ended.size(), 1u);
}

TEST_F(CoordinatorTest, TheSameRequestGivesTheSameJobAlsoAfterARestart) {
  const SubmitRequest request = {"r-same", ConfigJson("tiny"), "ada"};
  const std::string id = coordinator_->Submit(request).value().job->job_id;
  EXPECT_EQ(coordinator_->Submit(request).value().job->job_id, id);
  Restart();
  EXPECT_EQ(coordinator_->Submit(request).value().job->job_id, id);
  EXPECT_EQ(coordinator_->ListJobs({}).jobs.size(), 1u);
  const absl::Status other = coordinator_->Submit({"r-same", ConfigJson("other"), "ada"}).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(other), ErrorReason::kRequestIdReused);
}

TEST_F(CoordinatorTest, AnIdleWorkerThatLeavesIsNoLostOne) {
  const auto link = Connect("w1", 1);
  coordinator_->Leave("w1", link.get(), "idle for 10m");
  EXPECT_EQ(link->All<DismissCommand>().size(), 1u);
  EXPECT_TRUE(coordinator_->ListWorkers().empty());
  coordinator_->Disconnect("w1", link.get());
  const std::string id = Submit("tiny");
  Pass(options_.reattach);
  EXPECT_EQ(Get(id)->state, JobState::kQueued) << "it gets no more work";
  EXPECT_EQ(coordinator_->Collect().counts.lease_expirations.count("worker"), 0u);
}

TEST_F(CoordinatorTest, AWorkerThatHasAnAssignmentIsNotLetGo) {
  const auto link = Connect("w1", 1);
  const std::string id = Submit("tiny");
  Pass(absl::ZeroDuration());
  ASSERT_EQ(Get(id)->state, JobState::kReserved);
  coordinator_->Leave("w1", link.get(), "idle for 10m");  // crossed the Assign
  EXPECT_TRUE(link->All<DismissCommand>().empty());
  EXPECT_EQ(coordinator_->ListWorkers().size(), 1u);
  const auto old = std::make_shared<FakeLink>();
  coordinator_->Leave("w1", old.get(), "idle for 10m");
  EXPECT_TRUE(old->sent().empty()) << "of no session";
}

TEST_F(CoordinatorTest, BadSubmitsAreCountedAndStoreNothing) {
  EXPECT_EQ(ReasonOf(coordinator_->Submit({"r", "{}", ""}).status()), ErrorReason::kInvalidJob);
  EXPECT_EQ(ReasonOf(coordinator_->Submit({"", ConfigJson("a"), ""}).status()),
            ErrorReason::kNoRequestId);
  EXPECT_EQ(coordinator_->Collect().counts.submissions.at("invalid"), 2);
  EXPECT_TRUE(coordinator_->ListJobs({}).jobs.empty());
}

TEST_F(CoordinatorTest, JobsTravelFromQueueToResult) {
  const std::string id = Submit("tiny");
  Pass(absl::ZeroDuration());
  EXPECT_EQ(Get(id)->reason.rfind(
                "no-worker-fits: asks for 1 slot, no worker has connected yet; fails at 2027-", 0),
            0u)
      << Get(id)->reason;
  auto link = Connect("w1", 1);
  EXPECT_TRUE(coordinator_->TakeTickWanted());
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(id)->state, JobState::kReserved);
  EXPECT_EQ(link->All<AssignCommand>().size(), 1u);
  Report(id, ReportStatus::kAccepted);
  Report(id, ReportStatus::kRunning);
  EXPECT_EQ(Get(id)->state, JobState::kRunning);
  Report(id, ReportStatus::kSucceeded);
  EXPECT_EQ(Get(id)->state, JobState::kSucceeded);
  const CoordinatorStats stats = coordinator_->Collect();
  EXPECT_EQ(stats.counts.queue_waits_seconds, std::vector<double>{1.0});
  EXPECT_EQ(stats.counts.attempts.at("done"), 1);
  EXPECT_TRUE(coordinator_->Collect().counts.queue_waits_seconds.empty());
}

TEST_F(CoordinatorTest, HigherPriorityGoesFirstAndOthersSayWhy) {
  const std::string low = Submit("low");
  const std::string high = Submit("high", 1, 900);
  const std::string later = Submit("later");
  Connect("w1", 1);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(high)->state, JobState::kReserved);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(low)->reason, "waiting-for-slots: needs 1, 0 free");
  EXPECT_EQ(Get(later)->reason, "lower-priority: 1 job ahead in the queue");
}

TEST_F(CoordinatorTest, AJobThatNothingCanHoldFailsInTheEnd) {
  const std::string id = Submit("huge", 64);
  Connect("w1", 2);
  Pass(absl::ZeroDuration());
  for (int i = 0; i < 10; ++i) Pass(absl::Minutes(1));
  EXPECT_EQ(Get(id)->state, JobState::kFailed);
  EXPECT_EQ(Get(id)->reason.rfind("no-worker-fits: asks for 64", 0), 0u) << Get(id)->reason;
}

TEST_F(CoordinatorTest, CancelOfAWaitingJobIsImmediateAndOnlyOfALiveOne) {
  const std::string id = Submit("tiny");
  EXPECT_EQ(coordinator_->Cancel("tiny", std::nullopt).value()->state, JobState::kCancelled);
  EXPECT_TRUE(coordinator_->Cancel(id, std::nullopt).ok()) << "it is what was asked for";
  Connect("w1", 1);
  const std::string done = Submit("done");
  Pass(absl::Seconds(1));
  Report(done, ReportStatus::kSucceeded);
  EXPECT_EQ(ReasonOf(coordinator_->Cancel(done, std::nullopt).status()), ErrorReason::kJobTerminal);
  EXPECT_EQ(ReasonOf(coordinator_->Cancel("nobody", std::nullopt).status()),
            ErrorReason::kJobNotFound);
}

TEST_F(CoordinatorTest, AJobWaitsForItsDependencyAndFailsWithIt) {
  const std::string first = Submit("first");
  const auto after = [&](const std::string& name) {
    return coordinator_->Submit({"r-" + name, ConfigJson(name), "ada", false, {first}})
        .value()
        .job->job_id;
  };
  const std::string second = after("second");
  Connect("w1", 4);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(first)->state, JobState::kReserved);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(second)->state, JobState::kQueued);
  EXPECT_EQ(Get(second)->reason, "dependency: job " + first + " is RESERVED");
  Report(first, ReportStatus::kSucceeded);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(second)->state, JobState::kReserved);

  const std::string third =
      coordinator_->Submit({"r-3", ConfigJson("third"), "ada", false, {second}})
          .value()
          .job->job_id;
  ASSERT_TRUE(coordinator_->Cancel(second, absl::ZeroDuration()).ok());
  Report(second, ReportStatus::kStopped);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(third)->state, JobState::kFailed);
  EXPECT_EQ(Get(third)->reason.rfind("dependency: job " + second + " is CANCELLED", 0), 0u);
}

TEST_F(CoordinatorTest, JobsThatEndedLongAgoAreRemovedWithTheirRequests) {
  options_.keep_jobs = absl::Hours(24);
  Restart();
  const SubmitRequest request = {"r-old", ConfigJson("old"), "ada"};
  const std::string old = coordinator_->Submit(request).value().job->job_id;
  ASSERT_TRUE(coordinator_->Cancel(old, absl::ZeroDuration()).ok());
  const std::string live = Submit("live");
  Pass(absl::Hours(23));
  EXPECT_TRUE(coordinator_->GetJob(old).ok());
  Pass(absl::Hours(2));
  EXPECT_FALSE(coordinator_->GetJob(old).ok());
  EXPECT_TRUE(coordinator_->GetJob(live).ok());
  EXPECT_EQ(ReasonOf(coordinator_->Submit(request).status()), ErrorReason::kJobRemoved)
      << "not made again";
}

TEST_F(CoordinatorTest, AHeldJobThatCanNeverRunFailsWithoutItsRelease) {
  const std::string first = Submit("first");
  const SubmitRequest request{"r-held", ConfigJson("held"), "ada", true, {first}};
  const std::string held = coordinator_->Submit(request).value().job->job_id;
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(held)->state, JobState::kHeld) << "it may still succeed";
  ASSERT_TRUE(coordinator_->Cancel(first, absl::ZeroDuration()).ok());
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(held)->state, JobState::kFailed);
  EXPECT_EQ(Get(held)->reason.rfind("dependency: job " + first + " is CANCELLED", 0), 0u);
}

TEST_F(CoordinatorTest, AWorkerThatClosesItselfDrainsUntilItsAgentStartsAnew) {
  const std::string id = Submit("tiny");
  Connect("w1", 2);
  Pass(absl::Seconds(1));
  coordinator_->CloseWorker("w1", "device 0 keeps its memory");
  Report(id, ReportStatus::kRefused);
  Pass(absl::Seconds(1));
  const WorkerView closed = coordinator_->ListWorkers().at(0);
  EXPECT_EQ(closed.mode.kind, WorkerMode::Kind::kDraining) << "an end there does not open it";
  EXPECT_EQ(closed.mode.note, "device 0 keeps its memory");
  Pass(absl::Minutes(1));
  EXPECT_EQ(Get(id)->state, JobState::kQueued);
  WorkerHello anew = HelloOf("w1", 2);
  anew.instance_id = "new-process";
  ASSERT_TRUE(coordinator_->Connect(anew, std::make_shared<FakeLink>()).ok());
  EXPECT_EQ(coordinator_->ListWorkers().at(0).mode.kind, WorkerMode::Kind::kOpen);
  ASSERT_TRUE(coordinator_->SetWorkerMode("w1", {WorkerMode::Kind::kCordoned, "mine"}).ok());
  coordinator_->CloseWorker("w1", "device 0 keeps its memory");
  EXPECT_EQ(coordinator_->ListWorkers().at(0).mode.note, "mine") << "an operator said more";
}

TEST_F(CoordinatorTest, HeldJobsWaitAndSayWhy) {
  SubmitRequest request{"r-1", ConfigJson("held"), "ada", true};
  const std::string id = coordinator_->Submit(request).value().job->job_id;
  Connect("w1", 1);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(id)->state, JobState::kHeld);
  EXPECT_EQ(coordinator_->Explain(id)->standing, Standing::kHeld);
  ASSERT_TRUE(coordinator_->Change(id, ReleaseRequest{}).ok());
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(id)->state, JobState::kReserved);
}

TEST_F(CoordinatorTest, AnUrgentJobTakesTheSlotsOfALessUrgentOne) {
  const std::string low = Submit("low", 1, 100);
  auto link = Connect("w1", 1);
  Pass(absl::Seconds(1));
  Report(low, ReportStatus::kRunning);
  const std::string high = Submit("high", 1, 900);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(low)->state, JobState::kPreempting);
  EXPECT_EQ(link->All<StopCommand>().at(0).grace, options_.checkpoint_grace);
  Report(low, ReportStatus::kStopped);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(high)->state, JobState::kReserved);
  EXPECT_EQ(Get(low)->state, JobState::kQueued);
  Report(high, ReportStatus::kSucceeded);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(low)->state, JobState::kReserved);
  EXPECT_EQ(Get(low)->restarts_used, 0);
}

TEST_F(CoordinatorTest, AClosedWorkerStaysClosedOverARestart) {
  Connect("w1", 1);
  ASSERT_TRUE(coordinator_->SetWorkerMode("w1", {WorkerMode::Kind::kDraining, "disk"}).ok());
  EXPECT_EQ(ReasonOf(coordinator_->SetWorkerMode("w9", {}).status()), ErrorReason::kWorkerNotFound);
  Restart();
  Connect("w1", 1);
  const std::string id = Submit("tiny");
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(id)->reason, "waiting-for-slots: needs 1, 0 free; closed: w1");
  ASSERT_TRUE(coordinator_->SetWorkerMode("w1", {}).ok());
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(id)->state, JobState::kReserved);
}

TEST_F(CoordinatorTest, ALostWorkerCanBeForgottenForGood) {
  auto link = Connect("w1", 1);
  ASSERT_TRUE(coordinator_->SetWorkerMode("w1", {WorkerMode::Kind::kCordoned, "disk"}).ok());
  EXPECT_EQ(ReasonOf(coordinator_->ForgetWorker("w1").status()), ErrorReason::kWorkerConnected);
  EXPECT_EQ(ReasonOf(coordinator_->ForgetWorker("w9").status()), ErrorReason::kWorkerNotFound);
  coordinator_->Disconnect("w1", link.get());
  EXPECT_EQ(ReasonOf(coordinator_->ForgetWorker("w1").status()), ErrorReason::kWorkerLeased);
  Pass(options_.reattach);
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  EXPECT_FALSE(coordinator_->ForgetWorker("w1").ok());
  EXPECT_EQ(coordinator_->ListWorkers().size(), 1u) << "not stored, not done";
  store_.FailWrites(absl::OkStatus());
  EXPECT_EQ(coordinator_->ForgetWorker("w1")->mode.note, "disk");
  EXPECT_TRUE(coordinator_->ListWorkers().empty());
  Restart();
  Connect("w1", 1);
  EXPECT_EQ(coordinator_->ListWorkers().at(0).mode.kind, WorkerMode::Kind::kOpen) << "a new worker";
}

TEST_F(CoordinatorTest, ListQueueAndExplainSayTheSameOfAJobWhoseWorkersAreGone) {
  options_.unsatisfiable_after = absl::Minutes(2);
  Restart();
  auto dead = Connect("dead", 1);
  Connect("w1", 1);
  const std::string id = Submit("tiny", 2);
  Pass(absl::Seconds(1));
  Report(id, ReportStatus::kAccepted);
  coordinator_->Report({{LastAttemptRef(*Get(id)), ReportStatus::kAccepted}, "dead"});
  Report(id, ReportStatus::kFailed, EndClass::kInfrastructure);
  coordinator_->Report({{LastAttemptRef(*Get(id)), ReportStatus::kStopped}, "dead"});
  coordinator_->Disconnect("dead", dead.get());
  Pass(absl::Seconds(10));
  Connect("w1", 1);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(id)->reason.rfind("waiting-for-slots: needs 2, 1 free; lost: dead; fails at", 0),
            0u)
      << Get(id)->reason;
  EXPECT_EQ(coordinator_->Queue().waiting.at(0).start, std::nullopt);
  EXPECT_EQ(coordinator_->Explain(id)->text, Get(id)->reason);
  for (int i = 0; i < 13; ++i) {
    Connect("w1", 1);
    Pass(absl::Seconds(10));
  }
  EXPECT_EQ(Get(id)->state, JobState::kFailed);
  EXPECT_EQ(Get(id)->reason,
            "no-worker-fits: asks for 2 slots, the largest offer is 1 over 1 worker; lost: dead; "
            "gave up after 2m");
}

TEST_F(CoordinatorTest, AJobGoesWhereItsFilesAre) {
  Connect("w2", 1);
  const std::string first = Submit("first");
  Pass(absl::Seconds(1));
  ASSERT_TRUE(
      coordinator_
          ->AddEvents("w2",
                      {{LastAttemptRef(*Get(first)), 1, {{.rank = 0, .text = PhaseLine("train")}}}})
          .ok());
  coordinator_->Report({{LastAttemptRef(*Get(first)), ReportStatus::kSucceeded}, "w2"});
  Connect("w1", 1);
  const std::string second = Submit("second");
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(second)->attempts.at(0).members.at(0).worker, "w2");
  EXPECT_EQ(coordinator_->Validate({"", ConfigJson("third"), "ada"})->files, "held by w2");
}

TEST_F(CoordinatorTest, ValidateForeseesAndStoresNothing) {
  Connect("w1", 1);
  EXPECT_EQ(coordinator_->Validate({"", ConfigJson("a"), "ada"})->fit, "would start at once on w1");
  EXPECT_TRUE(coordinator_->ListJobs({}).jobs.empty());
  EXPECT_EQ(ReasonOf(coordinator_->Validate({"", "{}", "ada"}).status()), ErrorReason::kInvalidJob);
}

TEST_F(CoordinatorTest, MetricsAreReadFromTheEvents) {
  const std::string id = Submit("tiny");
  Connect("w1", 1);
  Pass(absl::Seconds(1));
  EventBatch batch{{LastAttemptRef(*Get(id)), 1}};
  for (int64_t step = 1; step <= 3; ++step)
    batch.lines.push_back({.rank = 0, .text = StepLine(step, 9, 0.5)});
  ASSERT_TRUE(coordinator_->AddEvents("w1", batch).ok());
  EXPECT_EQ(coordinator_->metrics().Get({id, {}, 10}).value()->at("loss").size(), 3u);
}

TEST_F(CoordinatorTest, AStaleCheckpointDoesNotCount) {
  const std::string id = Submit("tiny");
  Connect("w1", 1);
  Pass(absl::Seconds(1));
  const AttemptRef old = LastAttemptRef(*Get(id));
  ASSERT_TRUE(
      coordinator_->AddEvents("w1", {{old, 1, {{.rank = 0, .text = CheckpointLine(10)}}}}).ok());
  EXPECT_EQ(Get(id)->checkpoint_step, 10);
  EXPECT_EQ(Get(id)->checkpoints.at(0).epoch, old.epoch);
  coordinator_->Report({{old, ReportStatus::kFailed, EndClass::kInfrastructure, "x"}, "w1"});
  Pass(absl::Seconds(2));
  Pass(absl::Seconds(2));
  ASSERT_GT(Get(id)->epoch, old.epoch);
  ASSERT_TRUE(
      coordinator_->AddEvents("w1", {{old, 2, {{.rank = 0, .text = CheckpointLine(20)}}}}).ok());
  EXPECT_EQ(Get(id)->checkpoint_step, 10);
  EXPECT_EQ(Get(id)->checkpoints.size(), 1u);
  EXPECT_EQ(coordinator_->Collect().counts.fencing_rejections.at("checkpoint"), 1);
  EXPECT_EQ(coordinator_->ReadEvents(id, 0, 10)->size(), 2u) << "kept as evidence";
}

TEST_F(CoordinatorTest, AKilledTrainerIsRunningAgainWithinSeconds) {
  const std::string id = Submit("tiny");
  auto link = Connect("w1", 1);
  Pass(absl::Seconds(1));
  Report(id, ReportStatus::kRunning);
  Report(id, ReportStatus::kFailed, EndClass::kProgram);
  EXPECT_EQ(Get(id)->state, JobState::kRecovering);
  Pass(absl::Seconds(1));
  Pass(absl::Seconds(1));
  EXPECT_EQ(Get(id)->state, JobState::kReserved);
  EXPECT_TRUE(link->All<AssignCommand>().at(1).resume);
  EXPECT_EQ(Get(id)->restarts_used, 1);
}

TEST_F(CoordinatorTest, HeartbeatsAreAnsweredAndKeepTheLease) {
  auto link = Connect("w1", 1);
  const std::string id = Submit("tiny");
  Pass(absl::ZeroDuration());
  Report(id, ReportStatus::kRunning);
  clock_.Advance(options_.reattach);  // the window of the start is over
  for (uint64_t seq = 1; seq <= 30; ++seq) {
    coordinator_->Heartbeat("w1", link.get(), seq);
    Pass(absl::Seconds(10));
  }
  EXPECT_EQ(link->All<HeartbeatAckCommand>().size(), 30u);
  EXPECT_EQ(link->All<HeartbeatAckCommand>().back().seq, 30u);
  EXPECT_EQ(Get(id)->state, JobState::kRunning);
  FakeLink stranger;
  coordinator_->Heartbeat("w1", &stranger, 99);
  EXPECT_TRUE(stranger.sent().empty());
}

TEST_F(CoordinatorTest, LinesAreAcknowledgedAfterTheyAreDurable) {
  auto link = Connect("w1", 1);
  const std::string id = Submit("tiny");
  Pass(absl::ZeroDuration());
  const AttemptRef ref = LastAttemptRef(*Get(id));
  ASSERT_TRUE(coordinator_->AddLogs("w1", {{ref, 1, {{0, LineStream::kStdout, 5, "hello"}}}}).ok());
  ASSERT_TRUE(
      coordinator_->AddEvents("w1", {{ref, 1, {{.rank = 0, .text = PhaseLine("prepare")}}}}).ok());
  EXPECT_EQ(Get(id)->state, JobState::kRunning) << "a phase event shows that it runs";
  EXPECT_TRUE(link->All<AckCommand>().empty());
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  coordinator_->Flush();
  EXPECT_TRUE(link->All<AckCommand>().empty());
  store_.FailWrites(absl::OkStatus());
  coordinator_->Flush();
  ASSERT_EQ(link->All<AckCommand>().size(), 1u);
  EXPECT_EQ(link->All<AckCommand>()[0].logs_seq, 1u);
  EXPECT_EQ(link->All<AckCommand>()[0].events_seq, 1u);
  EXPECT_EQ(coordinator_->ReadLogs(id, {}).value().lines.at(0).text, "hello");
  EXPECT_EQ(coordinator_->FindTail(id, {}, {.lines_left = 1}).value().after, 0u);
  EXPECT_EQ(coordinator_->ReadEvents(id, 0, 10).value().size(), 1u);
}

TEST_F(CoordinatorTest, WorkersAreShownLostWhenTheirStreamBreaks) {
  auto link = Connect("w1", 2);
  EXPECT_TRUE(coordinator_->ListWorkers().at(0).connected);
  coordinator_->Disconnect("w1", link.get());
  EXPECT_FALSE(coordinator_->ListWorkers().at(0).connected);
  EXPECT_EQ(coordinator_->Connect({}, link).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CoordinatorTest, WatchesBeginWithTheJobAsItIs) {
  const std::string id = Submit("tiny");
  std::vector<JobState> seen;
  JobWatch watch;
  watch.on_job = [&](const JobPtr& job) { seen.push_back(job->state); };
  watch.on_lines = [] {};
  const WatchId watch_id = coordinator_->Watch(id, watch).value();
  ASSERT_TRUE(coordinator_->Cancel(id, std::nullopt).ok());
  EXPECT_THAT(seen, ::testing::ElementsAre(JobState::kQueued, JobState::kCancelled));
  coordinator_->Unwatch(id, watch_id);
  EXPECT_FALSE(coordinator_->Watch("nobody", watch).ok());
}

TEST_F(CoordinatorTest, ReadinessFollowsTheStore) {
  coordinator_->Tick();
  EXPECT_TRUE(coordinator_->Ready().ok());
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  coordinator_->Tick();
  EXPECT_FALSE(coordinator_->Ready().ok());
}

TEST_F(CoordinatorTest, AllJobsAreThereAfterARestart) {
  const std::string id = Submit("tiny");
  auto link = Connect("w1", 1);
  Pass(absl::ZeroDuration());
  Report(id, ReportStatus::kRunning);
  const Job before = *Get(id);
  Restart();
  EXPECT_EQ(*Get(id), before);
  EXPECT_GE(coordinator_->revision(), before.revision);
  Pass(options_.lease * 2);
  EXPECT_EQ(Get(id)->state, JobState::kRunning) << "the reattach window";
  auto again = std::make_shared<FakeLink>();
  const AttemptRef ref = LastAttemptRef(before);
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1", 1, {ref}), again).ok());
  EXPECT_EQ(again->All<WelcomeCommand>().at(0).adopt, std::vector<AttemptRef>{ref});
  EXPECT_EQ(coordinator_->ListWorkers().at(0).slots_used, 1);
}

TEST_F(CoordinatorTest, CloseSessionsEndsAll) {
  auto link = Connect("w1", 1);
  coordinator_->CloseSessions(absl::UnavailableError("shutting down"));
  EXPECT_EQ(link->closed().message(), "shutting down");
}

}  // namespace
}  // namespace fpo::coordinator
