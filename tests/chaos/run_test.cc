// Promises 7, 8, 10 and 12 with real processes and a scripted trainer whose weights are a chain
// over its steps: whatever is killed, the run ends with the same weights, its log is complete, and
// nothing of it is left behind.

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/history_witness.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

int64_t StepOf(const json& job) { return std::stoll(job["progress"].value("step", "0")); }

class RunChaos : public ::testing::Test {
 protected:
  void StartAll(LocalService::Settings settings = {}) {
    settings.trainer = "fake";
    service_ = std::make_unique<LocalService>(settings);
    service_->StartAll();
    witness_.emplace(service_->GrpcAddress("coordinator"));
  }
  std::string Submit(const std::string& name, const std::string& how) {
    const Outcome outcome = service_->Ctl({"submit", service_->WriteFakeJob(name, how), "-q"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  }
  json ReachStep(const std::string& job, int64_t step) {
    return service_
        ->Until(
            job, [&](const json& update) { return StepOf(update) >= step; }, absl::Seconds(60))
        .value_or(json());
  }
  json Finish(const std::string& job) {
    return service_
        ->Until(
            job, [](const json& update) { return update.contains("ended"); }, absl::Minutes(5))
        .value_or(json());
  }
  std::string Weights(const std::string& name) {
    return ReadFile(service_->Path("runs/" + name + "/weights"));
  }
  // The steps that an attempt wrote to its log, in order.
  std::vector<int> LoggedSteps(const std::string& job, int attempt) {
    const Outcome logs = service_->Ctl({"logs", job, "-q", "--attempt", std::to_string(attempt)});
    std::vector<int> steps;
    std::istringstream lines(logs.out);
    for (std::string line; std::getline(lines, line);) {
      int step = 0;
      if (sscanf(line.c_str(), "step %d", &step) == 1) steps.push_back(step);
    }
    return steps;
  }
  static std::vector<int> UpTo(int last) {
    std::vector<int> steps;
    for (int step = 1; step <= last; ++step) steps.push_back(step);
    return steps;
  }
  // No process of the job runs within five seconds.
  bool Gone(const std::string& job_id) {
    for (const absl::Time end = absl::Now() + absl::Seconds(5); absl::Now() < end;) {
      if (ProcessesWith("FPO_ATTEMPT=" + job_id).empty()) return true;
      Pause(absl::Milliseconds(20));
    }
    return false;
  }
  void ExpectHistory() {
    StubbornUser user(service_->GrpcAddress("coordinator"));
    EXPECT_EQ(CheckHistory(user.AllJobs()), std::vector<std::string>{});
    int changes = 0;
    EXPECT_EQ(CheckTransitions(service_->Log("coordinator"), &changes), std::vector<std::string>{});
    EXPECT_EQ(witness_->Stop(), std::vector<std::string>{});
    std::cout << changes << " changes of state, all legal" << std::endl;
  }

  ChaosRandom random_;
  std::unique_ptr<LocalService> service_;
  std::optional<HistoryWitness> witness_;
};

TEST_F(RunChaos, KilledRanksLoseAndRepeatNoStep) {
  StartAll();
  Finish(Submit("unbroken", "steps-40-1-0"));
  ASSERT_FALSE(Weights("unbroken").empty());
  const int kills = ChaosCount("FPO_CHAOS_RANK_KILLS", 2);
  for (int i = 0; i < kills; ++i) {
    const std::string name = absl::StrCat("killed-", i);
    const std::string id = Submit(name, "steps-40-15-5");
    ReachStep(id, 1 + random_.Below(35));
    for (const pid_t pid : ProcessesWith("FPO_ATTEMPT=" + id)) kill(pid, SIGKILL);
    const json job = Finish(id);
    EXPECT_EQ(job.value("state", ""), "SUCCEEDED") << job.dump();
    EXPECT_EQ(Weights(name), Weights("unbroken")) << name;
  }
  ExpectHistory();
}

TEST_F(RunChaos, AKilledAgentLeavesNoProcessAndItsJobGoesOn) {
  StartAll({.lease = "2s"});
  Finish(Submit("unbroken", "steps-60-1-0"));
  const int kills = ChaosCount("FPO_CHAOS_AGENT_KILLS", 2);
  int orphans = 0;
  for (int i = 0; i < kills; ++i) {
    const std::string name = absl::StrCat("run-", i);
    // Every other trainer leaves a child behind that ignores SIGTERM and has its own session.
    const std::string id = Submit(name, i % 2 == 0 ? "steps-60-10-5" : "fork+steps-60-10-5");
    ReachStep(id, 1 + random_.Below(40));
    if (i % 2 == 0) {  // so that neither the end of its work nor a broken pipe ends it
      for (const pid_t pid : ProcessesWith("FPO_ATTEMPT=" + id)) kill(pid, SIGSTOP);
    }
    service_->Kill("worker");
    if (i % 2 == 0) orphans += !Gone(id);
    service_->Start("worker");
    // What its death did not reach, the next agent kills before it takes work.
    const std::string first = absl::StrCat("FPO_ATTEMPT=", id, "/1/");
    for (const absl::Time end = absl::Now() + absl::Seconds(5);
         absl::Now() < end && !ProcessesWith(first).empty();) {
      Pause(absl::Milliseconds(20));
    }
    orphans += !ProcessesWith(first).empty();
    const json job = Finish(id);
    EXPECT_EQ(job.value("state", ""), "SUCCEEDED") << job.dump();
    EXPECT_EQ(job["restarts_used"], 0) << "not the job's fault";
    EXPECT_EQ(Weights(name), Weights("unbroken")) << name;
    EXPECT_TRUE(Gone(id));
  }
  std::cout << kills << " agents killed, " << orphans << " orphans" << std::endl;
  EXPECT_EQ(orphans, 0);
  ExpectHistory();
}

TEST_F(RunChaos, ACoordinatorOutageDisturbsNoTraining) {
  // By default --reattach is twelve times the longest pause between two dials; here three times.
  StartAll({.lease = "15s", .reattach = "15s"});
  const int long_seconds = ChaosCount("FPO_CHAOS_OUTAGE_SECONDS", 0);
  const std::vector<int> outages =
      long_seconds > 0 ? std::vector<int>{0, 20, long_seconds} : std::vector<int>{0, 2};
  for (const int seconds : outages) {
    const std::string name = absl::StrCat("outage-", seconds);
    const int steps = 100 * (seconds + 2);
    const std::string id = Submit(name, absl::StrCat("steps-", steps, "-10-50"));
    ReachStep(id, 20);
    const std::vector<pid_t> ranks = ProcessesWith("FPO_ATTEMPT=" + id);
    service_->Kill("coordinator");
    Pause(absl::Seconds(seconds));
    const absl::Time begin = absl::Now();
    service_->Start("coordinator");
    const int64_t at_return = StepOf(service_->Describe(id));
    const absl::Duration back = absl::Now() - begin;
    EXPECT_LE(back, absl::Seconds(5));
    EXPECT_EQ(ProcessesWith("FPO_ATTEMPT=" + id), ranks) << "the same process";
    // About a hundred steps a second went on meanwhile; half of them must be seen at once.
    const json caught_up = ReachStep(id, at_return + 40 * seconds);
    EXPECT_LE(absl::Now() - begin, absl::Seconds(10 + seconds / 4));
    const json job = Finish(id);
    EXPECT_EQ(job.value("state", ""), "SUCCEEDED") << job.dump();
    EXPECT_EQ(job["attempts"].size(), 1u) << "the same attempt";
    EXPECT_EQ(LoggedSteps(id, 1), UpTo(steps)) << "each line once, in order";
    std::cout << "coordinator down " << seconds << " s: back after " << back
              << ", same attempt and process, " << steps << " log lines once each" << std::endl;
  }
  ExpectHistory();
}

TEST_F(RunChaos, LogsAreCompleteUnderTorture) {
  StartAll({.lease = "15s", .reattach = "15s"});
  const int kills = ChaosCount("FPO_CHAOS_LOG_KILLS", 4);
  const int steps = 1500 * kills;
  const std::string id = Submit("talkative", absl::StrCat("steps-", steps, "-0-0"));
  for (int i = 0; i < kills; ++i) {
    Pause(random_.Between(absl::Milliseconds(50), absl::Milliseconds(400)));
    service_->Kill("coordinator");
    service_->Start("coordinator");
  }
  EXPECT_EQ(Finish(id).value("state", ""), "SUCCEEDED");
  EXPECT_EQ(LoggedSteps(id, 1), UpTo(steps));
  std::cout << kills << " coordinators killed under a torrent, " << steps << " lines once each"
            << std::endl;
  ExpectHistory();
}

// More than the agent may keep while nobody takes it: what is missing is said, the rest is in
// order.
TEST_F(RunChaos, LinesThatAreLostAreSaidToBe) {
  StartAll({.worker_flags = {"--spool-max-mib", "1"}});
  const std::string id = Submit("torrent", "steps-6000-0-0-2000");
  ReachStep(id, 100);
  service_->Kill("coordinator");
  const std::string log = service_->Path("runs/torrent/weights");
  for (const absl::Time end = absl::Now() + absl::Seconds(60);
       !std::filesystem::exists(log) && absl::Now() < end;) {
    Pause(absl::Milliseconds(50));
  }
  service_->Start("coordinator");
  EXPECT_EQ(Finish(id).value("state", ""), "SUCCEEDED");
  const std::vector<int> steps = LoggedSteps(id, 1);
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(std::set<int>(steps.begin(), steps.end()).size(), steps.size()) << "none twice";
  int missing = 0;
  std::istringstream lines(service_->Ctl({"logs", id, "-q"}).out);
  for (std::string line; std::getline(lines, line);) {
    int count = 0;
    if (sscanf(line.c_str(), "gap: %d lines", &count) == 1) missing += count;
  }
  std::cout << "6000 lines of 2 KB for a spool of 1 MiB: " << steps.size()
            << " arrived, gaps say that " << missing << " are missing" << std::endl;
  EXPECT_GT(missing, 0);
  EXPECT_EQ(missing + static_cast<int>(steps.size()), 6000);
  ExpectHistory();
}

}  // namespace
}  // namespace fpo::testing
