// Restore drills: the coordinator's store is backed up under load, destroyed a moment later and
// restored. Every job of the backup gets its fate, and nothing of the lost time counts.

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
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
using nlohmann::json;

constexpr int kRestoreSteps = 40;
constexpr uint64_t kBeyondTheSeen = uint64_t{1} << 20;  // of each restore

// Of a job in a backup.
enum class Fate { kFenced, kWaits, kHadEnded, kUnknown };

// As `fpo-coordinator --restore` lists it.
Fate FateOf(const std::string& job_id, const std::string& restored) {
  const size_t at = restored.find(absl::StrCat("\n  ", job_id, "\n"));
  if (at == std::string::npos) return Fate::kUnknown;
  if (at > restored.find("jobs that had ended")) return Fate::kHadEnded;
  return at > restored.find("jobs that wait") ? Fate::kWaits : Fate::kFenced;
}

// Submits held jobs until it is told to stop.
class HeldSubmits {
 public:
  HeldSubmits(const std::string& address, std::string prefix)
      : prefix_(std::move(prefix)), thread_([this, address] { Run(address); }) {}
  ~HeldSubmits() { Stop(); }
  void Ask() { stop_ = true; }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // Name and id of what was acknowledged so far.
  std::map<std::string, std::string> acknowledged() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return acknowledged_;
  }

 private:
  void Run(const std::string& address) {
    StubbornUser user(address);
    for (int i = 0; !stop_; ++i) {
      const std::string name = absl::StrCat(prefix_, i);
      const std::string id = user.Submit(name, ChaosJob(name), [] { return absl::Seconds(5); });
      const std::lock_guard<std::mutex> lock(mutex_);
      acknowledged_[name] = id;
      Pause(absl::Milliseconds(100));  // each of hundreds of drills copies all of them
    }
  }

  const std::string prefix_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::map<std::string, std::string> acknowledged_;
  std::thread thread_;
};

class RestoreChaos : public ::testing::Test {
 protected:
  RestoreChaos() : backups_(MakeFolder()), service_(SettingsOf()) { service_.StartAll(); }
  ~RestoreChaos() override {
    std::error_code error;
    fs::remove_all(backups_, error);
  }
  static std::string MakeFolder() {
    char folder[] = "/tmp/fpo-backups-XXXXXX";
    return mkdtemp(folder);
  }
  LocalService::Settings SettingsOf() const {
    LocalService::Settings settings;
    settings.trainer = "fake";
    settings.slots = 2;
    settings.heartbeat = "100ms";
    settings.lease = "2s";
    settings.reattach = "2s";
    settings.coordinator_flags = {"--backup-every", "0s",    "--backup-keep", "3",
                                  "--backup-dir",   backups_};
    return settings;
  }
  std::string SubmitRun(const std::string& name, const std::string& how) {
    const Outcome outcome = service_.Ctl({"submit", service_.WriteFakeJob(name, how), "-q"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  }
  std::string Weights(const std::string& name) {
    return ReadFile(service_.Path("runs/" + name + "/weights"));
  }
  std::string Backup() {
    const Outcome backup = service_.Ctl({"backup", "-q"});
    EXPECT_EQ(backup.code, 0) << backup.err;
    return backup.out.substr(0, backup.out.find('\n'));
  }
  // The store is gone, and what the backup holds takes its place. `out`: what was said of that.
  void DestroyAndRestore(const std::string& backup, std::string* out) {
    service_.Kill("coordinator");
    fs::remove_all(service_.Path("coordinator"));
    const Outcome restored =
        RunProgram({Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--restore", backup, "--data",
                    service_.Path("coordinator")});
    ASSERT_EQ(restored.code, 0) << restored.err;
    *out = restored.out;
    service_.Start("coordinator");
  }
  // No process of this job is left.
  void AwaitGone(const std::string& job) {
    const absl::Time end = absl::Now() + absl::Seconds(60);
    while (!ProcessesWith(absl::StrCat("FPO_ATTEMPT=", job, "/")).empty()) {
      ASSERT_LT(absl::Now(), end) << "a zombie of the lost time lives on";
      Pause(absl::Milliseconds(50));
    }
  }
  pb::Job AwaitSuccess(StubbornUser* user, const std::string& job_id) {
    pb::Job job;
    const absl::Time end = absl::Now() + absl::Seconds(60);
    do {
      job = user->Get(job_id);
      if (job.state() == pb::JOB_STATE_SUCCEEDED || job.state() == pb::JOB_STATE_FAILED) break;
      Pause(absl::Milliseconds(50));
    } while (absl::Now() < end);
    EXPECT_EQ(job.state(), pb::JOB_STATE_SUCCEEDED) << job.ShortDebugString();
    return job;
  }
  void Drill(int number);
  void CheckRun(const pb::Job& job, const std::string& name, Fate fate);

  ChaosRandom random_;
  const std::string backups_;
  LocalService service_;
  std::string unbroken_;                     // weights of a run that nothing disturbed
  std::map<std::string, std::string> kept_;  // name and id of every job that must be there
  int unknown_ = 0;                          // jobs of lost times
  int zombies_ = 0;                          // runs of lost times
  int fenced_ = 0;                           // runs whose attempt of the backup was replaced
  int at_once_ = 0;                          // of these, had made their last step before that
};

void RestoreChaos::Drill(int number) {
  const std::string run_name = absl::StrCat("run-", number);
  const std::string run = SubmitRun(run_name, absl::StrCat("steps-", kRestoreSteps, "-20-5"));
  HeldSubmits load(service_.GrpcAddress("coordinator"), absl::StrCat("d", number, "-"));
  Pause(random_.Between(absl::ZeroDuration(), absl::Milliseconds(700)));
  const auto before = load.acknowledged();
  const std::string backup = Backup();
  ASSERT_NE(backup, "");
  const std::string late_name = absl::StrCat("late-", number);
  const std::string late = SubmitRun(late_name, "steps-1000-20-5");
  Pause(random_.Between(absl::ZeroDuration(), absl::Milliseconds(500)));
  load.Ask();
  std::string restored;
  ASSERT_NO_FATAL_FAILURE(DestroyAndRestore(backup, &restored));
  StubbornUser user(service_.GrpcAddress("coordinator"));
  load.Stop();  // its last call is answered by the restored coordinator

  std::map<std::string, std::string> there;
  for (const pb::Job& job : user.AllJobs()) there[job.name()] = job.job_id();
  for (const auto& [name, id] : before) EXPECT_EQ(there[name], id) << "acknowledged before";
  for (const auto& [name, id] : kept_) EXPECT_EQ(there[name], id) << "of an earlier drill";
  EXPECT_EQ(there[run_name], run);
  EXPECT_EQ(there.count(late_name), 0u) << "submitted after the backup";
  for (const auto& [name, id] : load.acknowledged()) unknown_ += there.count(name) == 0;
  kept_.insert(there.begin(), there.end());

  // The job of the lost time is stopped, and the one of the backup ends, whatever it did meanwhile.
  zombies_ += !ProcessesWith(absl::StrCat("FPO_ATTEMPT=", late, "/")).empty();
  ASSERT_NO_FATAL_FAILURE(AwaitGone(late));
  CheckRun(AwaitSuccess(&user, run), run_name, FateOf(run, restored));
}

void RestoreChaos::CheckRun(const pb::Job& job, const std::string& name, Fate fate) {
  EXPECT_EQ(Weights(name), unbroken_) << name << ": a step was lost or made twice";
  EXPECT_EQ(job.progress().step(), kRestoreSteps) << job.ShortDebugString();
  EXPECT_EQ(job.checkpoint_step(), kRestoreSteps);
  EXPECT_EQ(job.restarts_used(), 0) << "a restore is not the job's fault";
  EXPECT_NE(fate, Fate::kUnknown);
  ASSERT_EQ(job.attempts_size(), fate == Fate::kFenced ? 2 : 1) << job.ShortDebugString();
  const pb::Attempt& last = *job.attempts().rbegin();
  EXPECT_EQ(last.epoch() > kBeyondTheSeen, fate != Fate::kHadEnded)
      << "the end of a lost attempt counts: " << job.ShortDebugString();
  if (fate != Fate::kFenced) return;
  ++fenced_;
  const Outcome logs =
      service_.Ctl({"logs", job.job_id(), "-q", "--attempt", absl::StrCat(last.number())});
  at_once_ += logs.out.find(absl::StrCat("goes on from step ", kRestoreSteps)) != std::string::npos;
}

TEST_F(RestoreChaos, EveryJobOfABackupGetsItsFateAndNothingOfTheLostTimeCounts) {
  StubbornUser user(service_.GrpcAddress("coordinator"));
  AwaitSuccess(&user, SubmitRun("unbroken", absl::StrCat("steps-", kRestoreSteps, "-1-0")));
  unbroken_ = Weights("unbroken");
  ASSERT_NE(unbroken_, "");
  const int drills = ChaosCount("FPO_CHAOS_DRILLS", 3);
  const absl::Time begin = absl::Now();
  for (int i = 0; i < drills && !HasFatalFailure(); ++i) Drill(i);
  const std::vector<pb::Job> jobs = user.AllJobs();
  EXPECT_EQ(CheckHistory(jobs), std::vector<std::string>{});
  std::cout << drills << " restores, " << kept_.size() << " jobs kept, " << unknown_
            << " of lost times unknown, " << zombies_ << " runs of lost times stopped, " << fenced_
            << " of " << drills << " runs replaced (" << at_once_
            << " of them after their last step), " << Words((absl::Now() - begin) / drills)
            << " each" << std::endl;
  EXPECT_GT(unknown_, 0) << "nothing was lost, so nothing was tested";
}

}  // namespace
}  // namespace fpo::testing
