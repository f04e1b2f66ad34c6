// Changes of leader under load: two coordinators on one PostgreSQL database. What was acknowledged
// is there, once; a job that trains is not disturbed.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/coordinator_pair.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;

constexpr int kClients = 3;
constexpr int kLeaderRunSteps = 30;

class LeaderChaos : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = PostgresServer::Missing(); !missing.empty()) {
      GTEST_SKIP() << missing;
    }
    server_.emplace();
    pair_.emplace(server_->Url());
    pair_->StartAll();
  }
  void TearDown() override { StopClients(); }

  void StartClients() {
    for (int c = 0; c < kClients; ++c) {
      clients_.emplace_back([this, c] {
        StubbornUser user(pair_->addresses());
        for (int i = 0; !stop_; ++i) {
          const std::string name = absl::StrCat("c", c, "-", i);
          acknowledged_[c][name] =
              user.Submit(name, ChaosJob(name), [] { return absl::Seconds(3); });
          ++answers_;
          Pause(absl::Milliseconds(100));  // hundreds of changes keep all of them
        }
        lost_answers_ += user.lost_answers();
      });
    }
  }
  void StopClients() {
    stop_ = true;
    for (std::thread& client : clients_) client.join();
    clients_.clear();
  }
  // Each client has had an answer to a call that it made later than now; false after a minute.
  bool AwaitAnswers() {
    const int64_t enough = answers_ + 2 * kClients;
    const absl::Time end = absl::Now() + absl::Seconds(60);
    while (answers_ < enough && absl::Now() < end) Pause(absl::Milliseconds(2));
    return answers_ >= enough;
  }
  // Does something to the leader, and undoes it when the service answers again.
  void Change(int number);
  // One that was deposed while it stood still knows it.
  void AwaitStandby(const std::string& name) {
    const absl::Time end = absl::Now() + absl::Seconds(30);
    while (!absl::StrContains(pair_->Http(name, "/healthz"), "standby")) {
      ASSERT_LT(absl::Now(), end) << name << " does not know that it was deposed";
      Pause(absl::Milliseconds(10));
    }
  }
  int TimesLed() {
    int times = 0;
    for (const char* name : {"a", "b"}) {
      const std::string log = pair_->Log(name);
      const std::string line = "\"this coordinator leads\"";
      for (size_t at = 0; (at = log.find(line, at)) != std::string::npos; ++at) ++times;
    }
    return times;
  }
  void CheckSubmits(const std::vector<pb::Job>& jobs);
  void CheckRuns(const std::string& long_run, const std::vector<pid_t>& ranks);

  ChaosRandom random_;
  std::optional<PostgresServer> server_;
  std::optional<CoordinatorPair> pair_;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> answers_ = 0, lost_answers_ = 0;
  std::map<std::string, std::string> acknowledged_[kClients];  // each of its client until it stops
  std::vector<std::thread> clients_;
  std::map<std::string, int> kinds_;
  std::vector<absl::Duration> gaps_;  // until each client had answers again
  std::vector<std::string> runs_;     // jobs that began just before a change
};

void LeaderChaos::Change(int number) {
  runs_.push_back(pair_->SubmitRun(absl::StrCat("run-", number),
                                   absl::StrCat("steps-", kLeaderRunSteps, "-10-5")));
  Pause(random_.Between(absl::ZeroDuration(), absl::Milliseconds(300)));
  const std::string leader = pair_->Leader();
  ASSERT_NE(leader, "") << "change " << number;
  const absl::Time begin = absl::Now();
  const int kind = random_.Below(4);
  if (kind == 0) {
    ++kinds_["stopped and revived"];
    pair_->Signal(leader, SIGSTOP);
  } else if (kind == 1) {
    ++kinds_["SIGTERM"];
    pair_->Signal(leader, SIGTERM);
    EXPECT_EQ(pair_->Wait(leader), 0);
  } else if (kind == 2) {
    ++kinds_["database restarted"];
    server_->Stop("immediate");
    server_->Start();
  } else {
    ++kinds_["SIGKILL"];
    pair_->Kill(leader);
  }
  EXPECT_TRUE(AwaitAnswers()) << "nothing answers after change " << number;
  gaps_.push_back(absl::Now() - begin);
  if (kind == 0) {
    pair_->Signal(leader, SIGCONT);
    ASSERT_NO_FATAL_FAILURE(AwaitStandby(leader));
  }
  if (kind == 1 || kind == 3) pair_->Start(leader);
}

void LeaderChaos::CheckSubmits(const std::vector<pb::Job>& jobs) {
  std::map<std::string, std::string> all, stored;
  for (const auto& some : acknowledged_) all.insert(some.begin(), some.end());
  int duplicates = 0, lost = 0;
  for (const pb::Job& job : jobs) duplicates += !stored.emplace(job.name(), job.job_id()).second;
  for (const auto& [name, id] : all) lost += stored[name] != id;
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(duplicates, 0);
  EXPECT_EQ(jobs.size(), all.size() + runs_.size() + 2) << "the long run and the unbroken one";
  EXPECT_EQ(CheckHistory(jobs), std::vector<std::string>{});
}

void LeaderChaos::CheckRuns(const std::string& long_run, const std::vector<pid_t>& ranks) {
  StubbornUser user(pair_->addresses());
  const std::string unbroken = ReadFile(pair_->Path("runs/unbroken/weights"));
  EXPECT_NE(unbroken, "");
  for (size_t i = 0; i < runs_.size(); ++i) {
    pb::Job job;
    const absl::Time end = absl::Now() + absl::Seconds(60);
    while ((job = user.Get(runs_[i])).state() != pb::JOB_STATE_SUCCEEDED && absl::Now() < end) {
      Pause(absl::Milliseconds(50));
    }
    EXPECT_EQ(job.state(), pb::JOB_STATE_SUCCEEDED) << job.ShortDebugString();
    EXPECT_EQ(job.attempts_size(), 1) << "replaced: " << job.ShortDebugString();
    EXPECT_EQ(ReadFile(pair_->Path(absl::StrCat("runs/run-", i, "/weights"))), unbroken);
  }
  const pb::Job trained = user.Get(long_run);
  EXPECT_EQ(trained.state(), pb::JOB_STATE_RUNNING) << trained.ShortDebugString();
  EXPECT_EQ(trained.attempts_size(), 1)
      << "a change of leader stops no training: " << trained.ShortDebugString();
  EXPECT_EQ(ProcessesWith(absl::StrCat("FPO_ATTEMPT=", long_run, "/")), ranks);
}

TEST_F(LeaderChaos, ChangesUnderLoadLoseAndDoubleNothing) {
  StubbornUser user(pair_->addresses());
  const std::string long_run = pair_->SubmitRun("long", "steps-1000000-50-100");
  const std::string unbroken =
      pair_->SubmitRun("unbroken", absl::StrCat("steps-", kLeaderRunSteps, "-1-0"));
  while (user.Get(unbroken).state() != pb::JOB_STATE_SUCCEEDED) Pause(absl::Milliseconds(20));
  while (user.Get(long_run).progress().step() < 1) Pause(absl::Milliseconds(20));
  const std::vector<pid_t> ranks = ProcessesWith(absl::StrCat("FPO_ATTEMPT=", long_run, "/"));
  ASSERT_FALSE(ranks.empty());
  StartClients();
  const int changes = ChaosCount("FPO_CHAOS_LEADERS", 4);
  const int led_before = TimesLed();
  for (int i = 0; i < changes && !HasFatalFailure(); ++i) Change(i);
  const int led = TimesLed() - led_before;
  StopClients();
  CheckRuns(long_run, ranks);
  CheckSubmits(user.AllJobs());
  std::sort(gaps_.begin(), gaps_.end());
  size_t acknowledged = 0;
  for (const auto& some : acknowledged_) acknowledged += some.size();
  std::cout << changes << " changes (";
  for (const auto& [kind, count] : kinds_) std::cout << kind << " " << count << ", ";
  std::cout << led << " elections, lease 1s), " << acknowledged << " jobs acknowledged, 0 lost, "
            << runs_.size() << " runs in one attempt each, " << lost_answers_
            << " calls without an answer; until all clients were answered: median "
            << Words(gaps_[gaps_.size() / 2]) << ", at most " << Words(gaps_.back()) << std::endl;
}

}  // namespace
}  // namespace fpo::testing
