// A coordinator that comes up with another jobs' store, an empty one or an older copy, again and
// again: the job that runs is not disturbed, and none of its lines is lost.

#include <filesystem>
#include <functional>
#include <iostream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class WrongStoreChaos : public ::testing::Test {
 protected:
  // What the folder of the coordinator holds in one round.
  enum Kind { kEmpty, kOlder, kOther, kKinds };

  WrongStoreChaos() : service_({.trainer = "fake"}) { service_.StartAll(); }

  void Begin() {
    const Outcome outcome =
        service_.Ctl({"submit", service_.WriteFakeJob("job", "steps-100000000-20-50"), "-q"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    job_ = outcome.out.substr(0, outcome.out.find('\n'));
    AwaitStep(3);
    ranks_ = ProcessesWith("FPO_ATTEMPT=" + job_);
    ASSERT_EQ(ranks_.size(), 1u);
  }
  void AwaitStep(int64_t step) {
    ASSERT_TRUE(service_.Until(job_, [&](const json& job) {
      return Number(job.value("progress", json::object()), "step") >= step;
    })) << service_.Log("worker");
  }
  static bool Eventually(const std::function<bool()>& done) {
    for (const absl::Time end = absl::Now() + absl::Seconds(60); absl::Now() < end;) {
      if (done()) return true;
      Pause(absl::Milliseconds(20));
    }
    return done();
  }
  bool SeesWrongStore() {
    return absl::StrContains(service_.Http("worker", "/metrics"), "\nfpo_agent_wrong_store 1\n");
  }
  // Put in place of the right store, which is set aside as "right".
  void Exchange(Kind kind) {
    const std::string here = service_.Path("coordinator");
    const std::string older = service_.Path("older");
    if (!fs::exists(older)) fs::copy(here, older, fs::copy_options::recursive);
    fs::rename(here, service_.Path("right"));
    if (kind == kOlder) fs::copy(older, here, fs::copy_options::recursive);
    if (kind != kOther) return;
    const Outcome made =
        RunProgram({Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--init", "--data", here});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  void Round(Kind kind) {
    service_.Kill("coordinator");
    ASSERT_NO_FATAL_FAILURE(Exchange(kind));
    service_.Start("coordinator");
    ASSERT_TRUE(Eventually([&] { return SeesWrongStore(); })) << service_.Log("worker");
    EXPECT_EQ(ProcessesWith("FPO_ATTEMPT=" + job_), ranks_) << "kind " << kind;
    service_.Kill("coordinator");
    fs::remove_all(service_.Path("coordinator"));
    fs::rename(service_.Path("right"), service_.Path("coordinator"));
    service_.Start("coordinator");
    ASSERT_TRUE(Eventually([&] { return !SeesWrongStore(); })) << service_.Log("worker");
    // A second of steps: several heartbeats told the agent how far this store is, so that it knows
    // the older copy for what it is.
    AwaitStep(Number(service_.Describe(job_)["progress"], "step") + 50);
    EXPECT_EQ(ProcessesWith("FPO_ATTEMPT=" + job_), ranks_) << "kind " << kind;
  }
  // How many steps the log holds, each once and in order.
  int StepsInLog() {
    const Outcome logs = service_.Ctl({"logs", job_, "-q"});
    std::istringstream lines(logs.out);
    int last = 0;
    for (std::string line; std::getline(lines, line);) {
      int step = 0;
      if (sscanf(line.c_str(), "step %d", &step) != 1) continue;
      EXPECT_EQ(step, ++last) << line;
    }
    return last;
  }

  LocalService service_;
  std::string job_;
  std::vector<pid_t> ranks_;
};

TEST_F(WrongStoreChaos, DisturbsNothingAndLosesNoLine) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const int rounds = ChaosCount("FPO_CHAOS_WRONG_STORES", 2);
  for (int i = 0; i < rounds && !HasFatalFailure(); ++i) Round(static_cast<Kind>(i % kKinds));
  const json job = service_.Describe(job_);
  EXPECT_EQ(job["attempts"].size(), 1u) << job.dump();
  EXPECT_EQ(job.value("state", ""), "RUNNING");
  const int64_t reported = Number(job["progress"], "step");
  const int logged = StepsInLog();
  EXPECT_GE(logged, reported);
  std::cout << "wrong store: " << rounds << " coordinators on an empty folder, an older copy or "
            << "another store: " << job["attempts"].size() << " attempt, same process, " << logged
            << " log lines each once" << std::endl;
}

}  // namespace
}  // namespace fpo::testing
