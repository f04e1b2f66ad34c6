#include "worker/core/agent.h"

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/waits/moved_wall.h"
#include "tests/support/unkillable_spawner.h"
#include "tests/worker/core/agent_fixture.h"

namespace fpo::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FakeClock final : public SteadyClock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::UnixEpoch();
};

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    std::filesystem::create_directories(data_ / "model");
    fpo::testing::WriteWhole(data_ / "train.jsonl", "{}\n");
    Agent::Options options;
    options.slots = 2;
    options.attempt = parts_.Options();
    agent_.emplace(options, parts_.Services(), &clock_);
    agent_->OnConnected({}, absl::Seconds(15));
  }

  AssignCommand MakeAssignment(const std::string& job, const std::string& behaviour,
                               int slots = 1) {
    JobConfig config;
    config.name = job;
    config.model.path = data_ / "model";
    config.data.train = {data_ / "train.jsonl"};
    config.method.name = "sft";
    config.reference.source = "none";
    config.output = data_ / job;
    if (!behaviour.empty()) config.labels.emplace_back("run", behaviour);
    AssignCommand assignment;
    assignment.attempt = {job, 1, 1};
    assignment.config_json = WriteJobJson(config);
    assignment.slots = slots;
    return assignment;
  }
  // The next report with this status, whatever comes before it.
  Report Await(ReportStatus status) {
    constexpr absl::Duration kPatience = absl::Seconds(60);
    while (const std::optional<Outgoing> next = agent_->Next(kPatience)) {
      const auto* report = std::get_if<Report>(&*next);
      if (report != nullptr && report->status == status) return *report;
    }
    ADD_FAILURE() << "no such report";
    return {};
  }
  // The trainer of the job says that it waits.
  void AwaitEvent(const std::string& text) {
    constexpr absl::Duration kPatience = absl::Seconds(60);
    while (const std::optional<Outgoing> next = agent_->Next(kPatience)) {
      const auto* events = std::get_if<EventBatch>(&*next);
      if (events == nullptr) continue;
      for (const Line& line : events->lines) {
        if (line.text.find(text) != std::string::npos) return;
      }
    }
    ADD_FAILURE() << "no event " << text;
  }

  fpo::testing::AgentParts parts_;
  fpo::testing::TempFolder data_;
  FakeClock clock_;
  std::optional<Agent> agent_;
};

TEST_F(AgentTest, RunsAnAssignment) {
  agent_->OnAssign(MakeAssignment("one", ""));
  EXPECT_EQ(Await(ReportStatus::kAccepted).attempt.job_id, "one");
  Await(ReportStatus::kRunning);
  Await(ReportStatus::kSucceeded);
  EXPECT_TRUE(std::filesystem::exists(data_ / "one/run.json"));
}

TEST_F(AgentTest, WithoutContactForTooLongItStopsItsRanksAfterACheckpoint) {
  agent_->OnAssign(MakeAssignment("one", "steps-10000-10-0"));
  AwaitEvent("\"step\"");
  agent_->OnDisconnected();
  clock_.now += absl::Minutes(29);
  agent_->OnStillAway();
  AwaitEvent("\"step\"");  // continues
  clock_.now += absl::Minutes(1);
  agent_->OnStillAway();
  const Report report = Await(ReportStatus::kFailed);
  EXPECT_EQ(report.end_class, EndClass::kAsked) << "not a fault";
  EXPECT_THAT(report.message, HasSubstr("no contact with the coordinator for 30m"));
  EXPECT_FALSE(std::filesystem::is_empty(data_ / "one/checkpoints"));
}

TEST_F(AgentTest, ABrokenHostClosesItselfBeforeItReportsTheAttempt) {
  Agent::Options options;
  options.attempt = parts_.Options();
  options.attempt.trainer.path = data_ / "fpo-train";
  Agent agent(options, parts_.Services(), &clock_);
  agent.OnConnected({}, absl::Seconds(15));
  agent.OnAssign(MakeAssignment("one", ""));
  std::string closed;
  std::optional<EndClass> report;
  constexpr absl::Duration kPatience = absl::Seconds(60);
  while (!report) {
    const std::optional<Outgoing> next = agent.Next(kPatience);
    ASSERT_TRUE(next.has_value());
    if (const auto* closing = std::get_if<Closing>(&*next)) closed = closing->why;
    const auto* one = std::get_if<Report>(&*next);
    if (one != nullptr && one->status == ReportStatus::kFailed) report = one->end_class;
  }
  EXPECT_THAT(closed, HasSubstr("fpo-train"));
  EXPECT_EQ(report, EndClass::kInfrastructure) << "tried elsewhere, not the job's fault";
  EXPECT_THAT(std::string(agent.Ready().message()), HasSubstr("fpo-train"));
}

TEST_F(AgentTest, WhoIsRefusedForGoodKillsWhatRuns) {
  EXPECT_TRUE(agent_->IsIdle());
  agent_->OnAssign(MakeAssignment("one", "ignore-term"));
  AwaitEvent("waiting");
  EXPECT_FALSE(agent_->IsIdle());
  agent_->OnDisconnected();
  agent_->OnRefused("worker w1 is connected from elsewhere");
  agent_->Drain(absl::Hours(1), absl::ZeroDuration());  // without the grace
  EXPECT_TRUE(agent_->IsIdle());
}

class IdleAgentTest : public AgentTest {
 protected:
  static constexpr absl::Duration kIdle = absl::Minutes(10);
  IdleAgentTest() {
    agent_.reset();
    Agent::Options options;
    options.attempt = parts_.Options();
    options.exit_when_idle = kIdle;
    options.on_leave = [this] { ++left_; };
    options.is_sending = [this] { return sending_.load(); };
    agent_.emplace(options, parts_.Services(), &clock_);
    agent_->OnConnected({}, absl::Seconds(15));
  }
  // What an idle agent says; nothing: it stays.
  bool AsksToLeave() {
    const std::optional<Outgoing> next = agent_->Next(absl::ZeroDuration());
    return next && std::holds_alternative<Leaving>(*next);
  }
  // Reads and confirms, as a session does, until nothing is left.
  void DeliverAll() {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    for (uint64_t beat = 1; !parts_.outbox.IsEmpty() && absl::Now() < deadline; ++beat) {
      const std::optional<Outgoing> next = agent_->Next(absl::Milliseconds(20));
      if (next && std::holds_alternative<EventBatch>(*next)) {
        events_ += std::get<EventBatch>(*next).lines.size();
      }
      if (next && std::holds_alternative<LogBatch>(*next)) {
        logs_ += std::get<LogBatch>(*next).lines.size();
      }
      agent_->OnAck({"one", 1, 1}, events_, logs_);
      agent_->OnHeartbeatSent(beat);
      agent_->OnHeartbeatAnswered(beat, clock_.now);
    }
    EXPECT_TRUE(parts_.outbox.IsEmpty());
  }

  std::atomic<int> left_ = 0;
  std::atomic<bool> sending_ = false;
  uint64_t events_ = 0;
  uint64_t logs_ = 0;
};

TEST_F(IdleAgentTest, AsksToLeaveAndEndsOnlyWhenItIsLetGo) {
  EXPECT_FALSE(AsksToLeave());
  clock_.now += kIdle;
  EXPECT_TRUE(AsksToLeave());
  EXPECT_EQ(left_, 0);
  agent_->OnDismissed();
  EXPECT_EQ(left_, 1);
  EXPECT_FALSE(agent_->Ready().ok());
  agent_->OnDismissed();
  EXPECT_EQ(left_, 1) << "once";
}

TEST_F(IdleAgentTest, WorkThatCrossesTheQuestionKeepsIt) {
  EXPECT_FALSE(AsksToLeave());
  clock_.now += kIdle;
  EXPECT_TRUE(AsksToLeave());
  agent_->OnAssign(MakeAssignment("one", "hang"));
  agent_->OnDismissed();  // of an earlier question, say
  EXPECT_EQ(left_, 0);
  EXPECT_EQ(Await(ReportStatus::kAccepted).attempt.job_id, "one");
}

TEST_F(IdleAgentTest, IsNotIdleBeforeWhatItSaidIsStored) {
  agent_->OnAssign(MakeAssignment("one", ""));
  Await(ReportStatus::kSucceeded);
  clock_.now += kIdle;
  EXPECT_FALSE(AsksToLeave()) << "its end is not confirmed";
  agent_->OnDisconnected();
  agent_->OnConnected({}, absl::Seconds(15));
  DeliverAll();
  EXPECT_FALSE(AsksToLeave()) << "idle from here on";
  clock_.now += kIdle;
  EXPECT_TRUE(AsksToLeave());
}

TEST_F(IdleAgentTest, IsNotIdleWhileItSendsFiles) {
  EXPECT_FALSE(AsksToLeave());
  sending_ = true;
  clock_.now += kIdle;
  EXPECT_FALSE(AsksToLeave());
  sending_ = false;
  EXPECT_FALSE(AsksToLeave());
  clock_.now += kIdle;
  EXPECT_TRUE(AsksToLeave());
  sending_ = true;
  agent_->OnDismissed();
  EXPECT_EQ(left_, 0);
}

TEST_F(IdleAgentTest, ACoordinatorThatStaysAwayDoesNotHoldTheHost) {
  EXPECT_FALSE(AsksToLeave());
  clock_.now += kIdle - absl::Minutes(1);
  agent_->OnDisconnected();
  agent_->OnStillAway();
  clock_.now += absl::Minutes(9);
  agent_->OnStillAway();
  EXPECT_EQ(left_, 0) << "a restart of the coordinator ends no worker";
  clock_.now += absl::Minutes(1);
  agent_->OnStillAway();
  EXPECT_EQ(left_, 1);
}

TEST_F(AgentTest, CheckpointsAreAnnouncedAgainUnderANewAttempt) {
  agent_->OnAssign(MakeAssignment("one", "steps-7-1-5"));
  AwaitEvent("\"digest\"");
  Await(ReportStatus::kSucceeded);
  AssignCommand again = MakeAssignment("one", "steps-9-1-0");
  again.attempt.attempt = again.attempt.epoch = 2;
  agent_->OnAssign(again);
  AwaitEvent("\"checkpoint\",\"step\":5");
  Await(ReportStatus::kSucceeded);
}

TEST_F(AgentTest, ARetryGoesBackToTheStepThatWasAsked) {
  agent_->OnAssign(MakeAssignment("one", "steps-10-1-2"));
  Await(ReportStatus::kSucceeded);
  AssignCommand again = MakeAssignment("one", "steps-10-1-0");
  again.attempt.job_id = "two";
  again.discard_after_step = 4;
  agent_->OnAssign(again);
  Await(ReportStatus::kSucceeded);
  EXPECT_TRUE(std::filesystem::exists(data_ / "one/checkpoints/step-4"));
  EXPECT_FALSE(std::filesystem::exists(data_ / "one/checkpoints/step-6"));
}

TEST_F(AgentTest, CheckpointOrdersAreCarriedOut) {
  const std::string folder = data_ / "out/checkpoints/step-3";
  std::filesystem::create_directories(folder);
  agent_->OnCheckpointOrder({"one", {}, {folder}, {}});
  agent_->AwaitErrands();
  EXPECT_TRUE(std::filesystem::exists(folder + "/pinned"));
  agent_->OnCheckpointOrder({"one", {folder, "/"}, {}, {}});
  agent_->AwaitErrands();
  EXPECT_FALSE(std::filesystem::exists(folder));
}

// In the kernel's state D: a dead file system or driver. The job moves on, the slot does not.
TEST_F(AgentTest, ARankThatSigkillDoesNotEndIsReportedAndKeepsItsSlot) {
  fpo::testing::UnkillableSpawner spawner;
  AttemptServices services = parts_.Services();
  services.spawner = &spawner;
  Agent::Options options;
  options.slots = 2;
  options.attempt = parts_.Options();
  Agent agent(options, services, &clock_);
  agent.OnConnected({}, absl::Seconds(15));
  agent.OnAssign(MakeAssignment("one", "", 1));
  std::optional<Report> failed;
  constexpr absl::Duration kPatience = absl::Seconds(60);
  while (!failed) {
    const std::optional<Outgoing> next = agent.Next(kPatience);
    ASSERT_TRUE(next.has_value());
    const auto* report = std::get_if<Report>(&*next);
    if (report == nullptr) continue;
    if (report->status == ReportStatus::kAccepted) {
      spawner.spawned.WaitForNotification();
      agent.OnStop(report->attempt, absl::ZeroDuration(), "cancelled");
    }
    if (report->status == ReportStatus::kFailed) failed = *report;
  }
  EXPECT_EQ(failed->end_class, EndClass::kInfrastructure);
  EXPECT_THAT(failed->message, HasSubstr("survives SIGKILL and keeps its slots"));
  EXPECT_THAT(parts_.registry.Text(), HasSubstr("fpo_slots{state=\"used\"} 1\n"));
  EXPECT_TRUE(agent.IsIdle());
  agent.Drain(absl::ZeroDuration(), absl::ZeroDuration());  // ends
}

TEST_F(AgentTest, RefusesWhatDoesNotFit) {
  agent_->OnAssign(MakeAssignment("one", "hang"));
  agent_->OnAssign(MakeAssignment("two", "", 2));
  EXPECT_EQ(Await(ReportStatus::kRefused).message, "2 slots asked, 1 of 2 free");
  EXPECT_THAT(parts_.registry.Text(), HasSubstr("fpo_slots{state=\"used\"} 1\n"));
}

TEST_F(AgentTest, SlotsAreFreeBeforeTheEndIsReported) {
  agent_->OnAssign(MakeAssignment("one", "", 2));
  Await(ReportStatus::kSucceeded);
  agent_->OnAssign(MakeAssignment("two", "", 2));
  EXPECT_EQ(Await(ReportStatus::kAccepted).attempt.job_id, "two");
}

TEST_F(AgentTest, ARepeatedAssignmentStartsNothing) {
  const AssignCommand assignment = MakeAssignment("one", "hang");
  agent_->OnAssign(assignment);
  agent_->OnAssign(assignment);
  AwaitEvent("waiting");
  EXPECT_THAT(agent_->RunningAttempts(), ElementsAre(assignment.attempt));
  EXPECT_THAT(parts_.registry.Text(), HasSubstr("fpo_slots{state=\"used\"} 1\n"));
}

TEST_F(AgentTest, StopsOnRequest) {
  agent_->OnAssign(MakeAssignment("one", "hang"));
  AwaitEvent("waiting");
  agent_->OnStop({"one", 1, 1}, absl::Seconds(30), "cancelled on request");
  EXPECT_EQ(Await(ReportStatus::kStopped).message, "cancelled on request");
}

TEST_F(AgentTest, AStopOfSomethingUnknownIsConfirmed) {
  agent_->OnStop({"ghost", 1, 1}, absl::ZeroDuration(), "fenced");
  EXPECT_EQ(Await(ReportStatus::kStopped).attempt.job_id, "ghost");
}

TEST_F(AgentTest, GoesOnWithoutTheCoordinatorAndIsAdopted) {
  agent_->OnAssign(MakeAssignment("one", "hang"));
  AwaitEvent("waiting");
  agent_->OnDisconnected();
  EXPECT_FALSE(agent_->Ready().ok());
  EXPECT_EQ(agent_->RunningAttempts().size(), 1u);
  agent_->OnConnected({}, absl::Seconds(15));
  EXPECT_TRUE(agent_->Ready().ok());
  EXPECT_EQ(Await(ReportStatus::kAccepted).attempt.job_id, "one") << "it was never confirmed";
  AwaitEvent("waiting");
}

TEST_F(AgentTest, KillsWhatNoLongerCounts) {
  agent_->OnAssign(MakeAssignment("one", "ignore-term"));
  AwaitEvent("waiting");
  agent_->OnDisconnected();
  agent_->OnConnected({{"one", 1, 1}}, absl::Seconds(15));
  Await(ReportStatus::kStopped);
}

TEST_F(AgentTest, TheEndIsToldUntilItIsConfirmed) {
  agent_->OnAssign(MakeAssignment("one", ""));
  Await(ReportStatus::kSucceeded);
  EXPECT_EQ(agent_->RunningAttempts().size(), 1u) << "the report may be lost";
  agent_->OnDisconnected();
  agent_->OnConnected({}, absl::Seconds(15));
  Await(ReportStatus::kSucceeded);
  agent_->Next(absl::ZeroDuration());
  agent_->OnHeartbeatSent(1);
  agent_->OnHeartbeatAnswered(1, clock_.now);
  EXPECT_TRUE(agent_->RunningAttempts().empty());
}

TEST_F(AgentTest, TheLeaseRunsFromTheLastAnsweredHeartbeat) {
  clock_.now += absl::Seconds(14);
  EXPECT_TRUE(agent_->HasLease());
  clock_.now += absl::Seconds(2);
  EXPECT_FALSE(agent_->HasLease());
  agent_->OnHeartbeatAnswered(1, clock_.now - absl::Seconds(1));
  EXPECT_TRUE(agent_->HasLease());
}

TEST_F(AgentTest, AWallClockThatMovesCostsNeitherLeaseNorWork) {
  const BootClock steady;
  Agent::Options options;
  options.attempt = parts_.Options();
  Agent agent(options, parts_.Services(), &steady);
  agent.OnConnected({}, absl::Seconds(15));
  agent.OnAssign(MakeAssignment("one", "hang"));
  for (const absl::Duration by : {absl::Hours(1), -absl::Hours(1)}) {
    const fpo::testing::MovedWall moved(by);
    EXPECT_TRUE(agent.HasLease()) << by;
    agent.OnDisconnected();
    agent.OnStillAway();
    EXPECT_FALSE(agent.IsIdle()) << by;
  }
  agent.OnRefused("the test ends");
}

TEST_F(AgentTest, DrainStopsRunningWorkWhichGoesOnElsewhere) {
  agent_->OnAssign(MakeAssignment("one", "hang"));
  AwaitEvent("waiting");
  agent_->Drain(absl::Seconds(30), absl::ZeroDuration());
  const Report report = Await(ReportStatus::kFailed);
  EXPECT_EQ(report.end_class, EndClass::kAsked);
  EXPECT_EQ(report.message, "the worker is shutting down");
  agent_->OnAssign(MakeAssignment("two", ""));
  EXPECT_EQ(Await(ReportStatus::kRefused).attempt.job_id, "two");
}

// Says what the test wants of one device.
class FakeProbe final : public DeviceProbe {
 public:
  absl::StatusOr<std::vector<Device>> Read() override {
    return std::vector<Device>{{0, "GPU-0", "Fake", int64_t{80} << 30, used_mib.load() << 20, "1"}};
  }
  std::string name() const override { return "fake"; }
  std::atomic<int64_t> used_mib = 0;
};

class DeviceAgentTest : public AgentTest {
 protected:
  DeviceAgentTest() {
    DeviceGate::Options gate;
    gate.slots = SlotDevices(1, *probe_.Read(), std::nullopt).value();
    gate.patience = absl::Milliseconds(300);
    gate.look = absl::Milliseconds(5);
    gate_.emplace(&probe_, gate);
    agent_.reset();
    Agent::Options options;
    options.attempt = parts_.Options();
    AttemptServices services = parts_.Services();
    services.gate = &*gate_;
    agent_.emplace(options, services, &clock_);
    agent_->OnConnected({}, absl::Seconds(15));
  }
  // Reads, as a session does, until the agent closed itself; what else it said is `reports`.
  std::string AwaitClosing(std::vector<Report>* reports) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (absl::Now() < deadline) {
      const std::optional<Outgoing> next = agent_->Next(absl::Milliseconds(200));
      if (!next) continue;
      if (const auto* report = std::get_if<Report>(&*next)) reports->push_back(*report);
      if (const auto* closing = std::get_if<Closing>(&*next)) return closing->why;
    }
    return "";
  }

  FakeProbe probe_;
  std::optional<DeviceGate> gate_;
};

TEST_F(DeviceAgentTest, ASlotWhoseDeviceKeepsItsMemoryClosesTheWorker) {
  agent_->OnAssign(MakeAssignment("one", "hang"));
  AwaitEvent("waiting");
  probe_.used_mib = 4000;
  agent_->OnStop({"one", 1, 1}, absl::ZeroDuration(), "cancelled");
  std::vector<Report> reports;
  EXPECT_THAT(AwaitClosing(&reports), HasSubstr("device 0 (Fake) has 4000 of 81920 MiB"));
  if (reports.empty()) Await(ReportStatus::kStopped);
  agent_->OnAssign(MakeAssignment("two", ""));
  EXPECT_THAT(Await(ReportStatus::kRefused).message, HasSubstr("device 0 (Fake)"));
  EXPECT_FALSE(agent_->Ready().ok());
  agent_->OnDisconnected();
  agent_->OnConnected({}, absl::Seconds(15));
  EXPECT_THAT(AwaitClosing(&reports), HasSubstr("device 0")) << "a new session is told again";
}

TEST_F(DeviceAgentTest, ARankSeesOnlyTheGpuOfItsSlot) {
  const std::string trainer = data_ / "fpo-train", seen = data_ / "seen";
  fpo::testing::WriteWhole(trainer,
                           "#!/bin/sh\necho \"$CUDA_VISIBLE_DEVICES\" >>" + seen + "\nexit 1\n");
  std::filesystem::permissions(trainer, std::filesystem::perms::owner_all);
  agent_.reset();
  Agent::Options options;
  options.attempt = parts_.Options();
  options.attempt.trainer.path = trainer;
  options.visible_devices = {"GPU-0"};
  agent_.emplace(options, parts_.Services(), &clock_);
  agent_->OnConnected({}, absl::Seconds(15));
  agent_->OnAssign(MakeAssignment("one", ""));
  Await(ReportStatus::kFailed);
  EXPECT_THAT(fpo::testing::ReadWhole(seen), ::testing::StartsWith("GPU-0\n"));
}

TEST_F(DeviceAgentTest, AWorkerWhoseGpuIsBrokenAtTheStartTakesNothingAndSaysWhy) {
  agent_.reset();
  Agent::Options options;
  options.attempt = parts_.Options();
  options.closed = "no GPU can be used on this host: the driver is too old";
  agent_.emplace(options, parts_.Services(), &clock_);
  agent_->OnConnected({}, absl::Seconds(15));
  std::vector<Report> reports;
  EXPECT_THAT(AwaitClosing(&reports), HasSubstr("the driver is too old"));
  agent_->OnAssign(MakeAssignment("one", ""));
  EXPECT_THAT(Await(ReportStatus::kRefused).message, HasSubstr("the driver is too old"));
}

TEST_F(DeviceAgentTest, ADeviceInUseFailsThePreflightAndIsNamed) {
  probe_.used_mib = 600;
  agent_->OnAssign(MakeAssignment("one", ""));
  const Report report = Await(ReportStatus::kFailed);
  EXPECT_EQ(report.end_class, EndClass::kInfrastructure);
  EXPECT_THAT(report.message, HasSubstr("preflight: device 0 (Fake) has 600 of 81920 MiB"));
}

TEST_F(DeviceAgentTest, MemoryThatComesBackInTimeIsNoTrouble) {
  agent_->OnAssign(MakeAssignment("one", "hang"));
  AwaitEvent("waiting");
  probe_.used_mib = 4000;
  agent_->OnStop({"one", 1, 1}, absl::ZeroDuration(), "cancelled");
  probe_.used_mib = 10;
  Await(ReportStatus::kStopped);
  agent_->OnAssign(MakeAssignment("two", ""));
  Await(ReportStatus::kSucceeded);
}

}  // namespace
}  // namespace fpo::worker
