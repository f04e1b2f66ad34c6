#include "coordinator/core/workers/attempt_control.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

class AttemptControlTest : public ::testing::Test {
 protected:
  Moment Now() const { return {now_, now_}; }
  void Pass(absl::Duration time) {
    now_ += time;
    control_.Tick(Now());
  }

  std::string Submit(int32_t slots = 1) {
    SubmittedRequest request;
    request.request_id = "r-" + std::to_string(++requests_);
    return jobs_.Create(MakeJob("", slots), request, now_).value()->job_id;
  }
  std::shared_ptr<FakeLink> Hello(const WorkerHello& hello) {
    auto link = std::make_shared<FakeLink>();
    EXPECT_TRUE(control_.OnHello(hello, link, Now()).ok());
    return link;
  }
  AttemptRef Reserve(const std::string& job_id, const std::vector<Member>& members) {
    EXPECT_TRUE(control_.Reserve({job_id, members}, Now()).ok());
    return LastAttemptRef(*jobs_.Get(job_id));
  }
  void Report(const AttemptRef& ref, const std::string& worker, ReportStatus status,
              std::optional<EndClass> end_class = {}) {
    control_.OnReport({{ref, status, end_class, "message"}, worker}, Now());
  }
  // A job running on w1.
  AttemptRef Run(const std::string& job_id) {
    const AttemptRef ref = Reserve(job_id, {MemberOn("w1")});
    Report(ref, "w1", ReportStatus::kAccepted);
    Report(ref, "w1", ReportStatus::kRunning);
    EXPECT_EQ(State(job_id), JobState::kRunning);
    return ref;
  }
  JobState State(const std::string& job_id) { return jobs_.Get(job_id)->state; }
  int32_t Used(const std::string& worker) {
    for (const WorkerView& view : workers_.List(now_)) {
      if (view.hello.worker_id == worker) return view.slots_used;
    }
    return -1;
  }

  absl::Time now_ = kStart;
  int requests_ = 0;
  CoordinatorOptions options_;
  MemoryJobStore store_;
  JobTable jobs_{&store_};
  WorkerRegistry workers_;
  LeaseTable leases_{options_.lease, kStart};
  CoordinatorCounts counts_;
  AttemptControl control_{options_, {&jobs_, &workers_, &leases_, &counts_}};
};

TEST_F(AttemptControlTest, AReservationHoldsSlotsAndAssignsEachMember) {
  auto w1 = Hello(HelloOf("w1", 4));
  auto w2 = Hello(HelloOf("w2", 4));
  const std::string job = Submit(5);
  const AttemptRef ref = Reserve(job, {MemberOn("w1", 4, 0), MemberOn("w2", 1, 4)});
  EXPECT_EQ(Used("w1"), 4);
  EXPECT_EQ(Used("w2"), 1);
  const AssignCommand first = w1->All<AssignCommand>().at(0);
  const AssignCommand second = w2->All<AssignCommand>().at(0);
  EXPECT_EQ(first.attempt, ref);
  EXPECT_EQ(first.slots, 4);
  EXPECT_EQ(second.first_rank, 4);
  EXPECT_EQ(second.world_size, 5);
  EXPECT_FALSE(second.resume);
  EXPECT_EQ(first.store_address, second.store_address);
  EXPECT_EQ(first.store_address.rfind("host-w1:", 0), 0u) << first.store_address;
}

// resources.min_slots: the ranks are those that have slots.
TEST_F(AttemptControlTest, AnAttemptOnFewerSlotsHasFewerRanks) {
  auto w1 = Hello(HelloOf("w1", 4));
  Reserve(Submit(5), {MemberOn("w1", 4, 0)});
  EXPECT_EQ(w1->All<AssignCommand>().at(0).world_size, 4);
  EXPECT_NE(w1->All<AssignCommand>().at(0).store_address, "");
  auto w2 = Hello(HelloOf("w2", 1));
  Reserve(Submit(5), {MemberOn("w2", 1, 0)});
  EXPECT_EQ(w2->All<AssignCommand>().at(0).world_size, 1);
  EXPECT_EQ(w2->All<AssignCommand>().at(0).store_address, "");
}

TEST_F(AttemptControlTest, NoTwoLiveAttemptsMeetAtOnePort) {
  // As many as make two of them meet by chance: a birthday among 2,000 ports.
  constexpr int kJobs = 300;
  auto link = Hello(HelloOf("w1", 2 * kJobs));
  std::set<std::string> addresses;
  for (int i = 0; i < kJobs; ++i) Reserve(Submit(2), {MemberOn("w1", 2)});
  for (const AssignCommand& command : link->All<AssignCommand>()) {
    addresses.insert(command.store_address);
  }
  EXPECT_EQ(addresses.size(), static_cast<size_t>(kJobs));
}

TEST_F(AttemptControlTest, AMemberThatIsAssignedAgainGetsTheSameAddress) {
  Hello(HelloOf("w1", 2));
  Reserve(Submit(2), {MemberOn("w1", 2)});
  const std::string address =
      absl::StrCat("127.0.0.1:", jobs_.WithAttempt().at(0)->attempts.back().rendezvous_port);
  const auto again = Hello(HelloOf("w1", 2));  // it did not get its assignment
  ASSERT_EQ(again->All<AssignCommand>().size(), 1u);
  EXPECT_EQ(again->All<AssignCommand>().at(0).store_address, address);
}

TEST_F(AttemptControlTest, ASingleRankNeedsNoRendezvousAndLaterAttemptsResume) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  EXPECT_EQ(link->All<AssignCommand>().at(0).store_address, "");
  Report(ref, "w1", ReportStatus::kFailed, EndClass::kProgram);
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kQueued);
  Reserve(job, {MemberOn("w1")});
  EXPECT_TRUE(link->All<AssignCommand>().at(1).resume);
}

TEST_F(AttemptControlTest, AKilledProcessIsRetriedWithinTwoSeconds) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  Report(ref, "w1", ReportStatus::kFailed, EndClass::kProgram);
  EXPECT_EQ(State(job), JobState::kRecovering);
  EXPECT_EQ(Used("w1"), 0);
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kQueued);
  EXPECT_LE(jobs_.Get(job)->not_before, now_);
  EXPECT_EQ(counts_.attempts.at("program"), 1);
}

TEST_F(AttemptControlTest, ABrokenStreamChangesNoStateUntilTheLeaseRunsOut) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  Run(job);
  workers_.Disconnect("w1", link.get(), now_);
  Pass(options_.lease - absl::Milliseconds(1));
  EXPECT_EQ(State(job), JobState::kRunning);
  const uint64_t epoch = jobs_.Get(job)->epoch;
  Pass(absl::Milliseconds(1));
  EXPECT_GT(jobs_.Get(job)->epoch, epoch);
  EXPECT_EQ(State(job), JobState::kQueued);
  EXPECT_EQ(counts_.lease_expirations.at("worker"), 1);
}

TEST_F(AttemptControlTest, AnExpiredSessionIsCutOffSoThatTheAgentDialsAnew) {
  auto link = Hello(HelloOf("w1"));
  Pass(options_.lease);
  EXPECT_EQ(link->closed().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(workers_.Offers(now_, options_.unsatisfiable_after).at(0).connected);
}

TEST_F(AttemptControlTest, ReconnectingWithTheRunningAttemptIsAdopted) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  Pass(absl::Seconds(14));
  auto again = Hello(HelloOf("w1", 1, {ref}));
  EXPECT_EQ(again->All<WelcomeCommand>().at(0).adopt, std::vector<AttemptRef>{ref});
  EXPECT_TRUE(again->All<WelcomeCommand>().at(0).kill.empty());
  Pass(absl::Seconds(14));
  EXPECT_EQ(State(job), JobState::kRunning);
  EXPECT_EQ(jobs_.Get(job)->attempts.size(), 1u);
  EXPECT_EQ(Used("w1"), 1);
}

TEST_F(AttemptControlTest, AZombieIsKilledAndItsWordsDoNotCount) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  workers_.Disconnect("w1", link.get(), now_);
  Pass(options_.lease);
  auto again = Hello(HelloOf("w1", 1, {ref}));
  EXPECT_EQ(again->All<WelcomeCommand>().at(0).kill, std::vector<AttemptRef>{ref});
  EXPECT_EQ(Used("w1"), 1) << "its processes still hold the slot";
  Report(ref, "w1", ReportStatus::kSucceeded);
  EXPECT_EQ(State(job), JobState::kQueued);
  EXPECT_EQ(Used("w1"), 0);
  EXPECT_EQ(counts_.fencing_rejections.at("report"), 1);
  EXPECT_EQ(counts_.fencing_rejections.at("hello"), 1);
}

TEST_F(AttemptControlTest, ANewAgentProcessWithoutTheAttemptMeansRecoveryAtOnce) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  workers_.Disconnect("w1", link.get(), now_);
  WorkerHello restarted = HelloOf("w1");
  restarted.instance_id = "new-process";
  Hello(restarted);
  EXPECT_EQ(State(job), JobState::kRecovering);
  EXPECT_EQ(jobs_.Get(job)->attempts.back().end_message, "worker w1: its agent was restarted");
  EXPECT_FALSE(IsCurrent(*jobs_.Get(job), ref));
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kQueued);
  EXPECT_EQ(Used("w1"), 0);
}

// Two agents of one name, each with a work dir of its own.
class TwinAgentsTest : public AttemptControlTest {
 protected:
  static WorkerHello Twin(const std::string& instance) {
    WorkerHello hello = HelloOf("w1");
    hello.instance_id = instance;
    hello.home_id = "home of " + instance;
    hello.work_dir = "/srv/" + instance;
    return hello;
  }
  ErrorReason Refusal(const WorkerHello& hello) {
    return ReasonOf(control_.OnHello(hello, std::make_shared<FakeLink>(), Now()));
  }
  // A job that runs on the first one.
  std::string RunOnFirst() {
    link_ = Hello(Twin("first"));
    const std::string job = Submit();
    Member member = MemberOn("w1");
    member.instance = "first";
    member.home = Twin("first").home_id;
    ref_ = Reserve(job, {member});
    Report(ref_, "w1", ReportStatus::kAccepted);
    Report(ref_, "w1", ReportStatus::kRunning);
    return job;
  }

  std::shared_ptr<FakeLink> link_;
  AttemptRef ref_;
};

TEST_F(TwinAgentsTest, TheSecondIsRefusedAndTheFirstGoesOn) {
  const std::string job = RunOnFirst();
  EXPECT_EQ(Refusal(Twin("second")), ErrorReason::kWorkerNameTaken);
  EXPECT_TRUE(link_->closed().ok());
  EXPECT_EQ(State(job), JobState::kRunning);
  EXPECT_TRUE(IsCurrent(*jobs_.Get(job), ref_));
}

TEST_F(TwinAgentsTest, ABrokenConnectionGivesTheNameAwayOnlyWhenNothingCanRunAnyMore) {
  const std::string job = RunOnFirst();
  workers_.Disconnect("w1", link_.get(), now_);
  Pass(absl::Seconds(5));
  EXPECT_EQ(Refusal(Twin("second")), ErrorReason::kWorkerNameBusy);
  EXPECT_TRUE(control_.OnHello(Twin("first"), link_, Now()).ok()) << "it was only away";
  EXPECT_EQ(State(job), JobState::kRunning);
  workers_.Disconnect("w1", link_.get(), now_);
  Pass(options_.lease);
  Hello(Twin("second"));
  EXPECT_EQ(Refusal(Twin("first")), ErrorReason::kWorkerNameTaken) << "the other way round";
}

TEST_F(TwinAgentsTest, AnIdleAgentThatIsAwayLosesItsNameAtOnce) {
  auto link = Hello(Twin("first"));
  workers_.Disconnect("w1", link.get(), now_);
  Hello(Twin("second"));
  EXPECT_EQ(Refusal(Twin("first")), ErrorReason::kWorkerNameTaken);
}

TEST_F(TwinAgentsTest, TheNameGoesBackWhenTheOtherIsLost) {
  Hello(Twin("first"));
  Pass(options_.lease);
  auto second = Hello(Twin("second"));
  workers_.Disconnect("w1", second.get(), now_);
  Hello(Twin("first"));
}

TEST_F(TwinAgentsTest, ACopyOfTheMachineIsFoundOutByTheHeartbeatsOfTheOther) {
  auto link = Hello(Twin("first"));
  WorkerHello copy = Twin("first");
  copy.instance_id = "copy";
  EXPECT_EQ(Refusal(copy), ErrorReason::kWorkerNameBusy);
  for (int i = 0; i < 2; ++i) {
    now_ += options_.heartbeat;
    workers_.Heartbeat("w1", link.get(), Now());
  }
  EXPECT_EQ(Refusal(copy), ErrorReason::kWorkerNameTaken);
}

TEST_F(TwinAgentsTest, TheReasonOfALostAttemptDoesNotSpeakOfARestartThatWasNone) {
  const std::string job = RunOnFirst();
  workers_.Disconnect("w1", link_.get(), now_);
  // The lease has run out, but the tick that sees it comes later than the other agent.
  now_ += options_.lease;
  Hello(Twin("second"));
  EXPECT_EQ(jobs_.Get(job)->attempts.back().end_message,
            "worker w1: it was lost, and an agent on host-w1 (work dir /srv/second) has its name "
            "now");
}

TEST_F(AttemptControlTest, TheSameProcessMayStillReportHowAnAttemptEnded) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  Hello(HelloOf("w1"));  // it ended while the stream was down
  EXPECT_EQ(State(job), JobState::kRunning);
  Report(ref, "w1", ReportStatus::kSucceeded);
  EXPECT_EQ(State(job), JobState::kSucceeded);
}

TEST_F(AttemptControlTest, AnAttemptThatItsAgentNeverMentionsAgainIsRecovered) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  Run(job);
  Hello(HelloOf("w1"));
  leases_.Renew("w1", now_ + absl::Hours(1));
  Pass(options_.lease);
  EXPECT_NE(State(job), JobState::kRunning);
  EXPECT_EQ(jobs_.Get(job)->attempts.at(0).end_class, EndClass::kInfrastructure);
}

TEST_F(AttemptControlTest, AnAssignmentLostWithTheStreamIsSentAgain) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Reserve(job, {MemberOn("w1")});
  auto again = Hello(HelloOf("w1"));
  ASSERT_EQ(again->sent().size(), 2u);
  EXPECT_TRUE(std::holds_alternative<WelcomeCommand>(again->sent()[0]));
  EXPECT_EQ(again->All<AssignCommand>().at(0).attempt, ref);
  EXPECT_EQ(State(job), JobState::kReserved);
}

TEST_F(AttemptControlTest, AnAcceptLostWithTheStreamIsImpliedByHello) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Reserve(job, {MemberOn("w1")});
  Hello(HelloOf("w1", 1, {ref}));
  EXPECT_EQ(State(job), JobState::kStarting);
  control_.OnWork(ref, "w1", Now());
  EXPECT_EQ(State(job), JobState::kRunning);
}

TEST_F(AttemptControlTest, NobodyAnswersAReservation) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Reserve(job, {MemberOn("w1")});
  leases_.Renew("w1", now_ + absl::Hours(1));
  Pass(options_.reservation);
  EXPECT_EQ(State(job), JobState::kQueued);
  EXPECT_EQ(link->All<StopCommand>().at(0).attempt, ref);
}

TEST_F(AttemptControlTest, OneRefusalStopsTheOthers) {
  auto w1 = Hello(HelloOf("w1"));
  auto w2 = Hello(HelloOf("w2"));
  const std::string job = Submit(2);
  const AttemptRef ref = Reserve(job, {MemberOn("w1"), MemberOn("w2", 1, 1)});
  Report(ref, "w1", ReportStatus::kAccepted);
  Report(ref, "w2", ReportStatus::kRefused);
  EXPECT_EQ(State(job), JobState::kQueued);
  EXPECT_EQ(w1->All<StopCommand>().size(), 1u);
  EXPECT_TRUE(w2->All<StopCommand>().empty());
  EXPECT_EQ(Used("w1"), 1) << "until it says that nothing is left";
  Report(ref, "w1", ReportStatus::kStopped);
  EXPECT_EQ(Used("w1"), 0);
}

TEST_F(AttemptControlTest, ABrokenGangIsStoppedWhole) {
  auto w1 = Hello(HelloOf("w1"));
  auto w2 = Hello(HelloOf("w2"));
  const std::string job = Submit(2);
  const AttemptRef ref = Reserve(job, {MemberOn("w1"), MemberOn("w2", 1, 1)});
  for (const char* worker : {"w1", "w2"}) Report(ref, worker, ReportStatus::kRunning);
  Report(ref, "w1", ReportStatus::kFailed, EndClass::kProgram);
  EXPECT_EQ(w2->All<StopCommand>().at(0).grace, absl::ZeroDuration());
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kRecovering);
  Report(ref, "w2", ReportStatus::kStopped);
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kQueued);
}

TEST_F(AttemptControlTest, CancelStopsWithGraceThenWithout) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  ASSERT_TRUE(control_.Change(job, CancelRequest{options_.cancel_grace}, Now()).ok());
  EXPECT_EQ(State(job), JobState::kCancelling);
  EXPECT_EQ(link->All<StopCommand>().at(0).grace, options_.cancel_grace);
  ASSERT_TRUE(control_.Change(job, CancelRequest{}, Now()).ok());
  EXPECT_EQ(link->All<StopCommand>().at(1).grace, absl::ZeroDuration());
  Report(ref, "w1", ReportStatus::kStopped);
  EXPECT_EQ(State(job), JobState::kCancelled);
  EXPECT_EQ(Used("w1"), 0);
}

TEST_F(AttemptControlTest, ACancelLostWithTheStreamIsSentAgainWithTheGraceThatIsLeft) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  ASSERT_TRUE(control_.Change(job, CancelRequest{options_.cancel_grace}, Now()).ok());
  Pass(absl::Seconds(10));
  auto again = Hello(HelloOf("w1", 1, {ref}));
  EXPECT_EQ(again->All<StopCommand>().at(0).grace, options_.cancel_grace - absl::Seconds(10));
}

TEST_F(AttemptControlTest, ACancelledJobOfALostWorkerEndsWithTheLease) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  Run(job);
  ASSERT_TRUE(control_.Change(job, CancelRequest{options_.cancel_grace}, Now()).ok());
  workers_.Disconnect("w1", link.get(), now_);
  Pass(options_.lease);
  EXPECT_EQ(State(job), JobState::kCancelled);
}

TEST_F(AttemptControlTest, PauseStopsWithTheTimeForACheckpointAndFreesTheSlot) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  ASSERT_TRUE(control_.Change(job, PauseRequest{options_.checkpoint_grace}, Now()).ok());
  EXPECT_EQ(State(job), JobState::kPausing);
  EXPECT_EQ(link->All<StopCommand>().at(0).grace, options_.checkpoint_grace);
  Report(ref, "w1", ReportStatus::kStopped);
  EXPECT_EQ(State(job), JobState::kPaused);
  EXPECT_EQ(Used("w1"), 0);
  Report(ref, "w1", ReportStatus::kSucceeded);
  EXPECT_EQ(State(job), JobState::kPaused) << "late words of a fenced attempt";
  ASSERT_TRUE(control_.Change(job, ResumeRequest{}, Now()).ok());
  EXPECT_EQ(State(job), JobState::kQueued);
}

TEST_F(AttemptControlTest, AnUnconfirmedStopClosesTheWorkerUntilItProvesWell) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  ASSERT_TRUE(control_.Change(job, CancelRequest{absl::Seconds(30)}, Now()).ok());
  for (int i = 0; i < 9; ++i) {
    leases_.Renew("w1", now_);
    Pass(absl::Seconds(10));
  }
  EXPECT_EQ(State(job), JobState::kCancelled);
  EXPECT_EQ(workers_.ModeOf("w1").kind, WorkerMode::Kind::kCordoned);
  EXPECT_NE(workers_.ModeOf("w1").note.find(job), std::string::npos);
  Report(ref, "w1", ReportStatus::kStopped);
  EXPECT_EQ(workers_.ModeOf("w1").kind, WorkerMode::Kind::kOpen);
}

TEST_F(AttemptControlTest, ADrainedWorkersJobsQueueAgainUncounted) {
  auto link = Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  workers_.SetMode("w1", {WorkerMode::Kind::kDraining, "new disk"});
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kPreempting);
  EXPECT_EQ(jobs_.Get(job)->reason, "preempted: worker w1 is drained: new disk");
  EXPECT_EQ(link->All<StopCommand>().size(), 1u);
  Report(ref, "w1", ReportStatus::kStopped);
  EXPECT_EQ(State(job), JobState::kQueued);
  EXPECT_EQ(jobs_.Get(job)->restarts_used, 0);
}

TEST_F(AttemptControlTest, ACordonedWorkersJobsGoOn) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  Run(job);
  workers_.SetMode("w1", {WorkerMode::Kind::kCordoned, ""});
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kRunning);
}

TEST_F(AttemptControlTest, CacheUseIsKept) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  const CacheUse cache = {10, 10, 0, "aa", "bb", 0.5};
  control_.OnReport({{.attempt = ref, .status = ReportStatus::kSucceeded, .cache = cache}, "w1"},
                    Now());
  EXPECT_EQ(jobs_.Get(job)->progress.cache, cache);
  EXPECT_EQ(store_.LoadJobs().value().at(0).progress.cache, cache) << "stored with the report";
}

TEST_F(AttemptControlTest, AFullDiskLosesNoReport) {
  Hello(HelloOf("w1"));
  const std::string job = Submit();
  const AttemptRef ref = Run(job);
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  Report(ref, "w1", ReportStatus::kSucceeded);
  EXPECT_EQ(State(job), JobState::kRunning);
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kRunning);
  store_.FailWrites(absl::OkStatus());
  Pass(absl::Seconds(1));
  EXPECT_EQ(State(job), JobState::kSucceeded);
}

// After a restart: the same store, nothing else.
class RestartedControlTest : public AttemptControlTest {
 protected:
  RestartedControlTest() {
    Hello(HelloOf("w1"));
    job_ = Submit();
    ref_ = Run(job_);
    EXPECT_TRUE(jobs2_.Load().ok());
    control2_.ExpectWorkers(Now());
  }
  std::shared_ptr<FakeLink> HelloAgain(const WorkerHello& hello) {
    auto link = std::make_shared<FakeLink>();
    EXPECT_TRUE(control2_.OnHello(hello, link, Now()).ok());
    return link;
  }
  void Pass2(absl::Duration time) {
    now_ += time;
    control2_.Tick(Now());
  }
  JobState State2() { return jobs2_.Get(job_)->state; }

  std::string job_;
  AttemptRef ref_;
  JobTable jobs2_{&store_};
  WorkerRegistry workers2_;
  LeaseTable leases2_{options_.lease, kStart + options_.reattach};
  AttemptControl control2_{options_, {&jobs2_, &workers2_, &leases2_, &counts_}};
};

TEST_F(RestartedControlTest, NoAttemptIsReplacedInTheReattachWindow) {
  Pass2(options_.reattach - absl::Milliseconds(1));
  EXPECT_EQ(State2(), JobState::kRunning);
  Pass2(absl::Milliseconds(1));
  EXPECT_EQ(State2(), JobState::kQueued);
}

TEST_F(RestartedControlTest, AReportedAttemptIsAdopted) {
  Pass2(absl::Seconds(40));
  auto link = HelloAgain(HelloOf("w1", 1, {ref_}));
  EXPECT_EQ(link->All<WelcomeCommand>().at(0).adopt, std::vector<AttemptRef>{ref_});
  leases2_.Renew("w1", now_ + absl::Hours(1));
  Pass2(absl::Minutes(10));
  EXPECT_EQ(State2(), JobState::kRunning);
  EXPECT_EQ(jobs2_.Get(job_)->attempts.size(), 1u);
}

TEST_F(RestartedControlTest, AnAttemptOfAnAgentThatRestartedTooIsRecovered) {
  WorkerHello hello = HelloOf("w1");
  hello.instance_id = "new-process";
  HelloAgain(hello);
  EXPECT_EQ(State2(), JobState::kRecovering);
}

TEST_F(RestartedControlTest, AnotherAgentDoesNotGetTheNameBeforeItsOwnerCouldComeBack) {
  Job job = *jobs2_.Get(job_);
  job.attempts.back().members[0].home = "home";
  ASSERT_TRUE(jobs2_.Put(job).ok());
  WorkerHello other = HelloOf("w1");
  other.instance_id = "other";
  other.home_id = "other home";
  const auto reason = [&] {
    return ReasonOf(control2_.OnHello(other, std::make_shared<FakeLink>(), Now()));
  };
  EXPECT_EQ(reason(), ErrorReason::kWorkerNameBusy);
  EXPECT_EQ(State2(), JobState::kRunning);
  Pass2(options_.reattach);
  EXPECT_EQ(reason(), ErrorReason::kUnspecified);
}

TEST_F(RestartedControlTest, AnUnknownAttemptIsKilled) {
  const AttemptRef unknown = {"j-of-a-lost-store", 1, 9};
  auto link = HelloAgain(HelloOf("w1", 2, {ref_, unknown}));
  EXPECT_EQ(link->All<WelcomeCommand>().at(0).kill, std::vector<AttemptRef>{unknown});
}

}  // namespace
}  // namespace fpo::coordinator
