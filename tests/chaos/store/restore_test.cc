// Restore drills: the coordinator's store is backed up under load, destroyed a moment later and
// restored. Every job of the backup gets its fate, and nothing of the lost time counts.

#include <signal.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
namespace pb = fpo::v1;

class RestoreChaos : public ::testing::Test {
 protected:
  static LocalService::Settings SettingsOf() {
    LocalService::Settings settings;
    settings.trainer = "fake";
    settings.slots = 2;
    settings.heartbeat = "100ms";
    settings.lease = "1s";
    settings.reattach = "1s";
    settings.coordinator_flags = {"--backup-every", "0s", "--backup-keep", "3"};
    return settings;
  }
  RestoreChaos() : service_(WithBackups()) { service_.StartAll(); }
  LocalService::Settings WithBackups() {
    LocalService::Settings settings = SettingsOf();
    char folder[] = "/tmp/fpo-backups-XXXXXX";
    backups_ = mkdtemp(folder);
    settings.coordinator_flags.insert(settings.coordinator_flags.end(), {"--backup-dir", backups_});
    return settings;
  }
  ~RestoreChaos() override {
    std::error_code error;
    fs::remove_all(backups_, error);
  }
  std::string SubmitRun(const std::string& name, const std::string& how) {
    const Outcome outcome = service_.Ctl({"submit", service_.WriteFakeJob(name, how), "-q"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  }
  void Drill(int number);

  ChaosRandom random_;
  std::string backups_;
  LocalService service_;
  std::map<std::string, std::string> kept_;  // name -> id of every job that must be there
  std::set<std::string> runs_;               // ids of jobs that must succeed
  int unknown_ = 0;                          // jobs of lost times
  int zombies_ = 0;                          // attempts that the restored store had not begun
};

// Submits held jobs until it is told to stop.
class Submitter {
 public:
  Submitter(const std::string& address, std::string prefix)
      : prefix_(std::move(prefix)), thread_([this, address] {
          StubbornUser user(address);
          for (int i = 0; !stop_; ++i) {
            const std::string name = absl::StrCat(prefix_, i);
            const std::string id =
                user.Submit(name, ChaosJob(name), [] { return absl::Seconds(5); });
            const std::lock_guard<std::mutex> lock(mutex_);
            acknowledged_[name] = id;
          }
        }) {}
  ~Submitter() { Stop(); }
  void Ask() { stop_ = true; }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::map<std::string, std::string> acknowledged() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return acknowledged_;
  }

 private:
  const std::string prefix_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::map<std::string, std::string> acknowledged_;
  std::thread thread_;
};

void RestoreChaos::Drill(int number) {
  const std::string run = SubmitRun(absl::StrCat("run-", number), "steps-40-20-5");
  Submitter submitter(service_.GrpcAddress("coordinator"), absl::StrCat("d", number, "-"));
  Pause(random_.Between(absl::ZeroDuration(), absl::Milliseconds(700)));
  const auto before = submitter.acknowledged();
  const Outcome backup = service_.Ctl({"backup", "-q"});
  ASSERT_EQ(backup.code, 0) << backup.err;
  const std::string path = backup.out.substr(0, backup.out.find('\n'));
  const auto at_backup = submitter.acknowledged();
  const std::string late = SubmitRun(absl::StrCat("late-", number), "steps-1000-20-5");
  Pause(random_.Between(absl::ZeroDuration(), absl::Milliseconds(500)));
  submitter.Ask();
  service_.Kill("coordinator");
  fs::remove_all(service_.Path("coordinator"));
  const Outcome restored = RunProgram({Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--restore",
                                       path, "--data", service_.Path("coordinator")});
  ASSERT_EQ(restored.code, 0) << restored.err;
  service_.Start("coordinator");
  submitter.Stop();  // its last call is answered by the restored coordinator
  const auto all = submitter.acknowledged();

  StubbornUser user(service_.GrpcAddress("coordinator"));
  std::map<std::string, std::string> there;
  for (const pb::Job& job : user.AllJobs()) there[job.name()] = job.job_id();
  for (const auto& [name, id] : before) EXPECT_EQ(there[name], id) << "acknowledged before";
  for (const auto& [name, id] : kept_) EXPECT_EQ(there[name], id) << "of an earlier drill";
  EXPECT_EQ(there[absl::StrCat("run-", number)], run);
  EXPECT_EQ(there.count(absl::StrCat("late-", number)), 0u) << "submitted after the backup";
  for (const auto& [name, id] : all) unknown_ += there.count(name) == 0;
  for (const auto& [name, id] : there) {
    if (name.rfind("late-", 0) != 0) kept_[name] = id;
  }
  runs_.insert(run);
  // The job of the lost time is stopped, and the one of the backup ends, whatever it did meanwhile.
  for (const absl::Time end = absl::Now() + absl::Seconds(60);
       !ProcessesWith(absl::StrCat("FPO_ATTEMPT=", late, "/")).empty();) {
    ASSERT_LT(absl::Now(), end) << "a zombie of the lost time lives on";
    ++zombies_;
    Pause(absl::Milliseconds(50));
  }
  for (const absl::Time end = absl::Now() + absl::Seconds(60);;) {
    const pb::Job job = user.Get(run);
    if (job.state() == pb::JOB_STATE_SUCCEEDED) break;
    ASSERT_LT(absl::Now(), end) << job.ShortDebugString();
    ASSERT_NE(job.state(), pb::JOB_STATE_FAILED) << job.reason();
    Pause(absl::Milliseconds(50));
  }
}

TEST_F(RestoreChaos, EveryJobOfABackupGetsItsFateAndNothingOfTheLostTimeCounts) {
  const int drills = ChaosCount("FPO_CHAOS_DRILLS", 3);
  const absl::Time begin = absl::Now();
  for (int i = 0; i < drills && !HasFatalFailure(); ++i) Drill(i);
  StubbornUser user(service_.GrpcAddress("coordinator"));
  const std::vector<pb::Job> jobs = user.AllJobs();
  EXPECT_EQ(CheckHistory(jobs), std::vector<std::string>{});
  int attempts = 0;
  for (const pb::Job& job : jobs) {
    if (runs_.count(job.job_id()) == 0) continue;
    EXPECT_EQ(job.state(), pb::JOB_STATE_SUCCEEDED);
    attempts += job.attempts_size();
    // What counts is of an epoch that its restored store gave.
    const auto steps = job.progress().step();
    EXPECT_EQ(steps, 40) << job.job_id();
  }
  std::cout << drills << " restores, " << kept_.size() << " jobs kept, " << unknown_
            << " of lost times unknown, " << attempts << " attempts of " << runs_.size()
            << " runs, " << Words((absl::Now() - begin) / drills) << " each" << std::endl;
  EXPECT_GT(unknown_, 0) << "nothing was lost, so nothing was tested";
}

}  // namespace
}  // namespace fpo::testing
