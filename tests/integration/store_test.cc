// A coordinator that comes up with another jobs' store, or with an older copy of it, disturbs
// nothing.

#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  std::string Submit(const std::string& name, const std::string& how) {
    const Outcome outcome = service_.Ctl({"submit", service_.WriteFakeJob(name, how), "-q"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  }
  void AwaitStep(const std::string& job, int64_t step) {
    const auto seen = service_.Until(job, [&](const json& update) {
      return Number(update.value("progress", json::object()), "step") >= step;
    });
    ASSERT_TRUE(seen.has_value()) << job << " did not get to step " << step;
  }
  static bool Eventually(const std::function<bool()>& done,
                         absl::Duration timeout = absl::Seconds(30)) {
    for (const absl::Time end = absl::Now() + timeout; absl::Now() < end;) {
      if (done()) return true;
      absl::SleepFor(absl::Milliseconds(20));
    }
    return done();
  }
  bool Says(const std::string& program, const std::string& text) {
    return service_.Log(program).find(text) != std::string::npos;
  }
  void MoveData(const std::string& from, const std::string& to) {
    fs::rename(service_.Path(from), service_.Path(to));
  }
  // The pids of the job's ranks, which must be there.
  std::vector<pid_t> Ranks(const std::string& job) {
    const std::vector<pid_t> ranks = ProcessesWith(absl::StrCat("FPO_ATTEMPT=", job, "/1/"));
    EXPECT_FALSE(ranks.empty());
    return ranks;
  }
  LocalService service_{{.trainer = "fake"}};
};

TEST_F(StoreTest, ACoordinatorOnAnEmptyFolderKillsNothing) {
  service_.StartAll();
  const std::string job = Submit("long", "steps-1000000-10-20");
  AwaitStep(job, 3);
  const std::vector<pid_t> ranks = Ranks(job);
  service_.Kill("coordinator");
  MoveData("coordinator", "right");
  service_.Start("coordinator");  // on a new, empty folder
  ASSERT_TRUE(Eventually([&] { return Says("worker", "WRONG_STORE"); }));
  EXPECT_THAT(service_.Http("worker", "/healthz"), HasSubstr("WRONG_STORE"));
  EXPECT_THAT(service_.Http("worker", "/readyz"), HasSubstr("knows the jobs' store"));
  EXPECT_THAT(service_.Http("worker", "/metrics"), HasSubstr("fpo_agent_wrong_store 1"));
  EXPECT_THAT(service_.Http("coordinator", "/readyz"), HasSubstr("knows the jobs' store"));
  const Outcome submit = service_.Ctl({"submit", service_.WriteFakeJob("x", "steps-3-1-0")});
  EXPECT_EQ(submit.code, 7) << "a job here would be missed where it belongs: " << submit.err;
  EXPECT_THAT(submit.err, HasSubstr("knows the jobs' store"));
  EXPECT_EQ(Ranks(job), ranks);
  EXPECT_FALSE(fs::is_empty(service_.Path("worker/spool")));

  service_.Kill("coordinator");
  fs::remove_all(service_.Path("coordinator"));
  MoveData("right", "coordinator");
  service_.Start("coordinator");
  const int64_t before = Number(service_.Describe(job)["progress"], "step");
  AwaitStep(job, before + 10);
  EXPECT_EQ(Ranks(job), ranks);
  const json now = service_.Describe(job);
  EXPECT_EQ(now.value("state", ""), "RUNNING");
  EXPECT_EQ(now["attempts"].size(), 1u);
  EXPECT_THAT(service_.Http("worker", "/metrics"), HasSubstr("fpo_agent_wrong_store 0"));
  EXPECT_EQ(service_.Http("worker", "/healthz"), "ok\n");
}

TEST_F(StoreTest, AnOlderCopyOfTheStoreKillsNothing) {
  service_.StartAll();
  const std::string first = Submit("first", "steps-3-1-0");
  ASSERT_TRUE(service_.Until(
      first, [](const json& update) { return update.value("state", "") == "SUCCEEDED"; }));
  service_.Kill("coordinator");
  fs::copy(service_.Path("coordinator"), service_.Path("older"), fs::copy_options::recursive);
  service_.Start("coordinator");
  const std::string job = Submit("long", "steps-1000000-10-20");
  AwaitStep(job, 3);
  const std::vector<pid_t> ranks = Ranks(job);
  service_.Kill("coordinator");
  MoveData("coordinator", "right");
  MoveData("older", "coordinator");
  service_.Start("coordinator");
  ASSERT_TRUE(Eventually([&] { return Says("worker", "it is an older copy"); }));
  EXPECT_EQ(Ranks(job), ranks);
}

TEST_F(StoreTest, AWorkerForgetsItsStoreOnPurposeOnly) {
  service_.StartAll();
  const std::string job = Submit("short", "steps-3-1-0");
  ASSERT_TRUE(service_.Until(
      job, [](const json& update) { return update.value("state", "") == "SUCCEEDED"; }));
  service_.Kill("coordinator");
  MoveData("coordinator", "old");
  service_.Start("coordinator");
  ASSERT_TRUE(Eventually([&] { return Says("worker", "WRONG_STORE"); }));
  std::vector<std::string> forget = service_.WorkerCommand("worker");
  forget.push_back("--forget-store");
  EXPECT_EQ(RunProgram(forget).code, 7) << "its agent is running";
  service_.Signal("worker", SIGTERM);
  EXPECT_EQ(service_.Wait("worker"), 0);
  const Outcome forgotten = RunProgram(forget);
  EXPECT_EQ(forgotten.code, 0) << forgotten.err;
  EXPECT_THAT(forgotten.out, HasSubstr("forgot store "));
  service_.Start("worker");
  // The new coordinator still refuses jobs, for the agent's sake, until one is accepted.
  ASSERT_TRUE(Eventually([&] { return service_.Http("worker", "/readyz") == "ok\n"; }));
  const std::string next = Submit("next", "steps-3-1-0");
  EXPECT_TRUE(service_.Until(
      next, [](const json& update) { return update.value("state", "") == "SUCCEEDED"; }));
}

TEST_F(StoreTest, InitMakesAStoreOnce) {
  const std::vector<std::string> init = {Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--init",
                                         "--data", service_.Path("coordinator")};
  const Outcome made = RunProgram(init);
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("made store "));
  const Outcome again = RunProgram(init);
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("holds store "));
}

TEST_F(StoreTest, ADamagedStoreIsRefusedWithTheNewestBackup) {
  service_.Start("coordinator");
  Submit("kept", "steps-3-1-0");
  service_.Kill("coordinator");
  service_.Start("coordinator");  // writes what is in the log into tables
  service_.Kill("coordinator");
  const std::string backup = service_.Path("backups/jobs-20260101T000000.000Z");
  fs::create_directories(backup);
  int damaged = 0;
  for (const auto& entry : fs::directory_iterator(service_.Path("coordinator"))) {
    if (entry.path().extension() != ".sst") continue;
    fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
    ++damaged;
  }
  ASSERT_GT(damaged, 0);
  const Outcome refused =
      RunProgram({Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--listen", "127.0.0.1:0",
                  "--http", "127.0.0.1:0", "--data", service_.Path("coordinator"), "--backup-dir",
                  service_.Path("backups")});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr(".sst"));
  EXPECT_THAT(refused.err, HasSubstr("The newest backup is " + backup));
}

class BackupTest : public StoreTest {
 protected:
  BackupTest() : backups_(MakeFolder()) {}
  ~BackupTest() override {
    std::error_code error;
    fs::remove_all(backups_, error);
  }
  static std::string MakeFolder() {
    char folder[] = "/tmp/fpo-backups-XXXXXX";
    return mkdtemp(folder);
  }
  LocalService::Settings Settings(const std::string& every) const {
    LocalService::Settings settings;
    settings.trainer = "fake";
    settings.reattach = "3s";
    settings.coordinator_flags = {"--backup-dir", backups_,        "--backup-every",
                                  every,          "--backup-keep", "2"};
    return settings;
  }
  std::vector<std::string> Finished() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(backups_)) {
      if (entry.path().extension() != ".part") names.push_back(entry.path().filename());
    }
    return names;
  }
  const std::string backups_;
};

TEST_F(BackupTest, BackupsAreMadeBySchedule) {
  LocalService service(Settings("1s"));
  service.Start("coordinator");
  std::set<std::string> seen;
  ASSERT_TRUE(Eventually([&] {
    for (const std::string& name : Finished()) seen.insert(name);
    return seen.size() >= 4;
  }));
  EXPECT_TRUE(Eventually([&] { return Finished().size() <= 2; })) << "older ones go after the next";
  EXPECT_THAT(service.Http("coordinator", "/metrics"), HasSubstr("fpo_backup_failures_total 0"));
}

TEST_F(BackupTest, ARestoredCoordinatorGoesOn) {
  LocalService service(Settings("0s"));
  service.StartAll();
  const auto submit = [&](const std::string& name, const std::string& how) {
    const Outcome outcome = service.Ctl({"submit", service.WriteFakeJob(name, how), "-q"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  };
  const std::string job = submit("known", "steps-100-20-10");
  ASSERT_TRUE(service.Until(job, [](const json& update) {
    return Number(update.value("progress", json::object()), "step") >= 3;
  }));
  const Outcome backup = service.Ctl({"backup", "-q"});
  ASSERT_EQ(backup.code, 0) << backup.err;
  const std::string path = backup.out.substr(0, backup.out.find('\n'));
  const std::string late = submit("late", "steps-1000000-20-10");
  service.Kill("coordinator");
  fs::remove_all(service.Path("coordinator"));
  const Outcome restored = RunProgram({Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--restore",
                                       path, "--data", service.Path("coordinator")});
  ASSERT_EQ(restored.code, 0) << restored.err;
  EXPECT_THAT(restored.out, HasSubstr("jobs whose processes are stopped before they go on: 1"));
  service.Start("coordinator");
  EXPECT_TRUE(service.Until(
      job, [](const json& update) { return update.value("state", "") == "SUCCEEDED"; }));
  EXPECT_EQ(service.Describe(job)["attempts"].size(), 2u);
  EXPECT_EQ(service.Ctl({"describe", late}).code, 4);
  EXPECT_TRUE(
      Eventually([&] { return ProcessesWith(absl::StrCat("FPO_ATTEMPT=", late, "/")).empty(); }));
}

}  // namespace
}  // namespace fpo::testing
