#include "worker/core/running_attempt.h"

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/agent_fixture.h"
#include "worker/core/process/process_table.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Whole attempts with the fake trainer; labels of the job say how its phases behave.
class AttemptTest : public ::testing::Test {
 protected:
  AttemptTest() {
    fs::create_directories(data_ / "model");
    fpo::testing::WriteWhole(data_ / "train.jsonl", "{}\n");
    config_.name = "test";
    config_.model.path = data_ / "model";
    config_.reference.source = "cached";
    config_.reference.path = data_ / "model";
    config_.data.train = {data_ / "train.jsonl"};
    config_.method.name = "dpo";
    config_.method.beta = 0.1;
    config_.output = data_ / "out";
    assignment_.attempt = {"job-" + RandomId(4), 1, 1};
  }

  void Start() {
    assignment_.config_json = WriteJobJson(config_);
    parts_.outbox.Open(assignment_.attempt);
    parts_.outbox.StartSession();
    attempt_ = std::make_unique<RunningAttempt>(options_, parts_.Services(), assignment_,
                                                std::vector<std::string>(4, ""));
    attempt_->Start([this](const AttemptEnd& end) {
      end_ = end;
      ended_.Notify();
    });
  }
  AttemptEnd Finish() {
    EXPECT_TRUE(ended_.WaitForNotificationWithTimeout(absl::Seconds(60)));
    EXPECT_TRUE(FindProcesses({.group = 0,
                               .environment = {"FPO_ATTEMPT=" + AttemptName(assignment_.attempt)}})
                    .empty());
    return end_;
  }
  AttemptEnd Run() {
    Start();
    return Finish();
  }
  void Label(const std::string& phase, const std::string& behaviour) {
    config_.labels.emplace_back(phase, behaviour);
  }
  // What was said to the coordinator.
  void Collect() {
    while (const std::optional<Outgoing> next = parts_.outbox.Next(absl::ZeroDuration())) {
      if (const auto* report = std::get_if<Report>(&*next)) reports_.push_back(*report);
      if (const auto* events = std::get_if<EventBatch>(&*next)) {
        for (const Line& line : events->lines) events_.push_back(*ParseEvent(line.text));
      }
      if (const auto* logs = std::get_if<LogBatch>(&*next)) {
        for (const Line& line : logs->lines)
          absl::StrAppend(&logs_, Name(line.stream), ": ", line.text, "\n");
      }
    }
  }
  std::vector<std::string> Kinds(EventKind kind) {
    std::vector<std::string> phases;
    for (const TrainEvent& event : events_) {
      if (event.kind == kind) phases.push_back(event.phase);
    }
    return phases;
  }
  // Waits for as many events of the trainer that say so.
  void AwaitWarning(const std::string& message, int times = 1) {
    constexpr absl::Duration kPatience = absl::Seconds(30);
    for (;;) {
      const std::optional<Outgoing> next = parts_.outbox.Next(kPatience);
      ASSERT_TRUE(next.has_value()) << "no event " << message;
      const auto* events = std::get_if<EventBatch>(&*next);
      if (events == nullptr) continue;
      for (const Line& line : events->lines) {
        if (absl::StrContains(line.text, message) && --times == 0) return;
      }
    }
  }

  fpo::testing::AgentParts parts_;
  fpo::testing::TempFolder data_;
  AttemptOptions options_ = parts_.Options();
  JobConfig config_;
  AssignCommand assignment_;
  absl::Notification ended_;
  AttemptEnd end_;
  std::vector<Report> reports_;
  std::vector<TrainEvent> events_;
  std::string logs_;
  std::unique_ptr<RunningAttempt> attempt_;  // first to go
};

TEST_F(AttemptTest, TheOutputFolderIsLookedAtBeforeAnythingIsComputed) {
  JobConfig other = config_;
  other.seed = 7;
  fs::create_directories(config_.output);
  fpo::testing::WriteWhole(config_.output + "/job.yaml", WriteJobYaml(other));
  const AttemptEnd end = Run();
  EXPECT_EQ(end.end.end_class, EndClass::kInvalid);
  EXPECT_THAT(end.end.message, HasSubstr("seed: 42 here, 7 in the folder"));
  Collect();
  EXPECT_THAT(Kinds(EventKind::kPhase), ElementsAre());
}

TEST_F(AttemptTest, AFinishedRunIsSaidAndNothingIsComputed) {
  fs::create_directories(config_.output);
  fpo::testing::WriteWhole(config_.output + "/job.yaml", WriteJobYaml(config_));
  fpo::testing::WriteWhole(config_.output + "/run.json",
                           R"({"finished": true, "finished_at": "2026-05-03T10:20:31Z"})");
  const AttemptEnd end = Run();
  EXPECT_EQ(end.end.end_class, EndClass::kDone);
  EXPECT_THAT(end.end.message, HasSubstr("nothing was trained"));
  EXPECT_THAT(end.end.message, HasSubstr("finished 2026-05-03 10:20:31 UTC"));
  Collect();
  EXPECT_THAT(Kinds(EventKind::kPhase), ElementsAre("train", "finish"));
  EXPECT_THAT(logs_, HasSubstr("attempt done: nothing was trained"));
}

TEST_F(AttemptTest, RunsAllPhases) {
  const AttemptEnd end = Run();
  EXPECT_EQ(end.end.end_class, EndClass::kDone) << end.end.message;
  ASSERT_TRUE(end.cache.has_value());
  EXPECT_EQ(end.cache->records_computed, 20);
  const std::string flags = fpo::testing::ReadWhole(data_ / "out/run.json");
  EXPECT_THAT(flags, HasSubstr("\"reference\":\"" + parts_.work / "records/"));
  EXPECT_THAT(flags, HasSubstr("\"resume\":\"\""));
  Collect();
  ASSERT_GE(reports_.size(), 2u);
  EXPECT_EQ(reports_[0].status, ReportStatus::kRunning);
  EXPECT_EQ(reports_.back().prepared, "d1");
  EXPECT_EQ(reports_.back().cache->records_total, 20);
  EXPECT_THAT(Kinds(EventKind::kPhase), ElementsAre("prepare", "reference", "train", "finish"));
  EXPECT_EQ(Kinds(EventKind::kResult).size(), 1u) << "that of prepare is not the job's";
  EXPECT_THAT(logs_, HasSubstr("stdout: run begins\n"));
  EXPECT_THAT(logs_, HasSubstr("agent: trainer: fake_trainer 1\n"));
  EXPECT_FALSE(fs::exists(parts_.work / "jobs/" + assignment_.attempt.job_id)) << "cleaned up";
}

TEST_F(AttemptTest, ASecondJobComputesNothing) {
  ASSERT_TRUE(Run().end.ok());
  EXPECT_EQ(parts_.cache.claims(), 1);
  assignment_.attempt.job_id += "-b";
  parts_.outbox.Open(assignment_.attempt);
  absl::Notification ended;
  AttemptEnd end;
  RunningAttempt again(options_, parts_.Services(), assignment_, {""});
  again.Start([&](const AttemptEnd& e) {
    end = e;
    ended.Notify();
  });
  ended.WaitForNotification();
  ASSERT_TRUE(end.end.ok()) << end.end.message;
  EXPECT_EQ(end.cache->records_hit, 20);
  EXPECT_EQ(end.cache->records_computed, 0);
  EXPECT_EQ(parts_.cache.claims(), 1);
}

TEST_F(AttemptTest, OtherKindsRunTheirOwnCommand) {
  config_.kind = "sae";
  config_.sae = {{.path = data_ / "sae.npz", .layer = 1, .site = "resid_post"}};
  ASSERT_TRUE(Run().end.ok()) << end_.end.message;
  EXPECT_TRUE(fs::exists(data_ / "out/sae.json"));
  EXPECT_EQ(parts_.cache.stored(), 0);
}

TEST_F(AttemptTest, AReferenceJobEndsWithItsRecords) {
  config_.kind = "reference";
  ASSERT_TRUE(Run().end.ok()) << end_.end.message;
  EXPECT_EQ(parts_.cache.stored(), 20);
  EXPECT_FALSE(fs::exists(data_ / "out"));
}

TEST_F(AttemptTest, BadInputIsFoundBeforeAnythingRuns) {
  config_.data.train = {data_ / "nowhere.jsonl"};
  EXPECT_EQ(Run().end.end_class, EndClass::kInvalid);
  EXPECT_THAT(end_.end.message, HasSubstr("nowhere.jsonl does not exist"));
  Collect();
  EXPECT_TRUE(reports_.empty()) << "it never ran";
}

TEST_F(AttemptTest, RelativePathsAreInvalid) {
  config_.output = "runs/1";
  EXPECT_EQ(Run().end.end_class, EndClass::kInvalid);
  EXPECT_THAT(end_.end.message, HasSubstr("must be absolute"));
}

TEST_F(AttemptTest, AJobOutsideTheRootsStartsNothing) {
  const fpo::testing::TempFolder elsewhere;
  options_.places = {Roots({elsewhere.path()}), Roots({elsewhere.path()})};
  EXPECT_EQ(Run().end.end_class, EndClass::kInvalid);
  EXPECT_THAT(end_.end.message, HasSubstr(data_.path()));
  Collect();
  EXPECT_TRUE(reports_.empty()) << "it never ran";
}

TEST_F(AttemptTest, AMissingTrainerIsTheHostsFault) {
  options_.trainer.path = data_ / "fpo-train";
  EXPECT_EQ(Run().end.end_class, EndClass::kInfrastructure);
  EXPECT_THAT(end_.end.message, HasSubstr("fpo-train"));
}

TEST_F(AttemptTest, ItsProcessesAreBelowTheSpanOfTheAttempt) {
  const std::string trainer = data_ / "fpo-train";
  fpo::testing::WriteWhole(trainer, "#!/bin/sh\nenv >" + (data_ / "variables") + "\nexit 3\n");
  ASSERT_EQ(chmod(trainer.c_str(), 0755), 0);
  options_.trainer.path = trainer;
  options_.environment.push_back("TRACEPARENT=00-of-the-agent");
  assignment_.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  Run();
  const std::string variables = fpo::testing::ReadWhole(data_ / "variables");
  EXPECT_THAT(variables, HasSubstr("TRACEPARENT=" + assignment_.traceparent + "\n"));
  EXPECT_THAT(variables, ::testing::Not(HasSubstr("of-the-agent")));
}

TEST_F(AttemptTest, AMissingTrainerBreaksTheHost) {
  options_.trainer.path = data_ / "fpo-train";
  EXPECT_THAT(Run().broken_host, HasSubstr("fpo-train"));
}

TEST_F(AttemptTest, ADeviceThatIsGoneIsTheHostsFaultAndBreaksIt) {
  const std::string devices = data_ / "devices";
  options_.environment.push_back("FPO_FAKE_DEVICES=" + devices);
  options_.trainer.device = "cuda";
  fpo::testing::WriteWhole(devices, "exit-10 device cuda: no NVIDIA driver on this machine");
  EXPECT_EQ(Run().end.end_class, EndClass::kInfrastructure);
  EXPECT_THAT(end_.end.message, HasSubstr("no NVIDIA driver"));
  EXPECT_THAT(end_.broken_host, HasSubstr("no NVIDIA driver"));
  Collect();
  EXPECT_TRUE(reports_.empty()) << "found before anything ran";
}

TEST_F(AttemptTest, ADeviceFaultInAPhaseBreaksTheHostOnlyIfItIsStillThere) {
  Label("prepare", "exit-10 CUDA error: uncorrectable ECC error");
  EXPECT_EQ(Run().end.end_class, EndClass::kInfrastructure);
  EXPECT_THAT(end_.end.message, HasSubstr("uncorrectable ECC error"));
  EXPECT_EQ(end_.broken_host, "") << "the check after it found nothing wrong";
}

TEST_F(AttemptTest, FailuresOfEachPhaseKeepTheirClassAndWords) {
  Label("prepare", "exit-3 row 7 has no prompt");
  EXPECT_EQ(Run().end.end_class, EndClass::kInvalid);
  EXPECT_THAT(end_.end.message, HasSubstr("prepare, rank 0: exit code 3"));
  EXPECT_THAT(end_.end.message, HasSubstr("row 7 has no prompt"));
}

TEST_F(AttemptTest, AScorerOutOfMemoryIsMemory) {
  Label("score", "exit-5");
  EXPECT_EQ(Run().end.end_class, EndClass::kMemory);
  EXPECT_EQ(parts_.cache.claims(), 0) << "a claim is made only when the model is loaded";
}

TEST_F(AttemptTest, ACrashIsTheProgramsFault) {
  Label("run", "segv");
  EXPECT_EQ(Run().end.end_class, EndClass::kProgram);
  EXPECT_THAT(end_.end.message, HasSubstr("signal 11"));
}

TEST_F(AttemptTest, AKilledTrainerIsNot) {
  Label("run", "kill");
  EXPECT_EQ(Run().end.end_class, EndClass::kInfrastructure);
}

TEST_F(AttemptTest, ACacheThatIsAwayIsInfrastructure) {
  parts_.cache.unreachable_calls = 1 << 30;
  EXPECT_EQ(Run().end.end_class, EndClass::kInfrastructure);
  EXPECT_THAT(end_.end.message, HasSubstr("127.0.0.1:7080"));
}

TEST_F(AttemptTest, AnotherAttemptFindsThePreparedData) {
  Label("run", "exit-1");
  EXPECT_EQ(Run().end.end_class, EndClass::kProgram);
  const std::string log = parts_.work / "jobs/" + assignment_.attempt.job_id + "/phases.log";
  EXPECT_EQ(fpo::testing::ReadWhole(log), "prepare\nscore\nrun\n");
  assignment_.attempt.attempt = 2;
  assignment_.attempt.epoch = 2;
  parts_.outbox.Open(assignment_.attempt);
  absl::Notification ended;
  RunningAttempt second(options_, parts_.Services(), assignment_, {""});
  second.Start([&](const AttemptEnd&) { ended.Notify(); });
  ended.WaitForNotification();
  EXPECT_EQ(fpo::testing::ReadWhole(log), "prepare\nscore\nrun\nrun\n");
}

TEST_F(AttemptTest, StopWithGraceLetsTheTrainerWriteItsCheckpoint) {
  Label("run", "hang");
  Start();
  AwaitWarning("waiting");
  attempt_->Stop(absl::Seconds(30), "cancelled on request");
  EXPECT_EQ(Finish().end.end_class, EndClass::kAsked);
  EXPECT_EQ(end_.end.message, "cancelled on request");
  Collect();
  EXPECT_THAT(logs_, HasSubstr("stderr: stopping\n"));
}

TEST_F(AttemptTest, StopAtOnceKills) {
  Label("run", "ignore-term");
  Start();
  AwaitWarning("waiting");
  attempt_->Stop(absl::ZeroDuration(), "killed");
  EXPECT_EQ(Finish().end.end_class, EndClass::kAsked);
}

TEST_F(AttemptTest, StopReleasesClaimedRecords) {
  Label("score-command", "hang");
  Start();
  AwaitWarning("waiting");
  attempt_->Stop(absl::Seconds(30), "cancelled");
  EXPECT_EQ(Finish().end.end_class, EndClass::kAsked);
  EXPECT_EQ(parts_.cache.releases(), 1);
}

TEST_F(AttemptTest, SeveralRanksEachGetAPlace) {
  assignment_.slots = 2;
  assignment_.world_size = 2;
  assignment_.store_address = "127.0.0.1:29500";
  Label("run", "hang");
  Start();
  AwaitWarning("waiting", 2);
  attempt_->Stop(absl::Seconds(30), "cancelled");
  EXPECT_EQ(Finish().end.end_class, EndClass::kAsked);
  const std::string log = parts_.work / "jobs/" + assignment_.attempt.job_id + "/phases.log";
  EXPECT_EQ(fpo::testing::ReadWhole(log), "prepare\nscore\nrun\nrun\n");
}

}  // namespace
}  // namespace fpo::worker
