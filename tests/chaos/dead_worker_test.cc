// Promise 4: a dead worker is noticed. An agent that is killed resets its stream; a host that falls
// silent lets its lease run out, is fenced, and its ranks die when it speaks again.

#include <signal.h>

#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/deadline.h"
#include "common/wire/enums.h"
#include "gtest/gtest.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/tcp_proxy.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;
using nlohmann::json;

class DeadWorker : public ::testing::Test {
 protected:
  // 2 s quickly; with FPO_CHAOS_DEFAULT_LEASE=1 the times that a coordinator has by itself, but
  // for a shorter window after its start.
  static constexpr int kQuickLease = 2;
  DeadWorker()
      : default_times_(ChaosCount("FPO_CHAOS_DEFAULT_LEASE", 0) > 0),
        lease_(default_times_ ? 15 : kQuickLease),
        service_({.trainer = "fake",
                  .heartbeat = default_times_ ? "2s" : "300ms",
                  .lease = absl::StrCat(lease_, "s"),
                  .reattach = absl::StrCat(lease_, "s")}) {}

  void StartAll() {
    service_.Start("cache");
    service_.Start("coordinator");
    proxy_.emplace(service_.GrpcAddress("coordinator"));
    service_.WorkerDials(proxy_->address());
    service_.Start("worker");
    user_.emplace(service_.GrpcAddress("coordinator"));
  }
  std::string RunJob(const std::string& name) {
    const Outcome outcome =
        service_.Ctl({"submit", service_.WriteFakeJob(name, "steps-1000000-10-100"), "-q"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::string id = outcome.out.substr(0, outcome.out.find('\n'));
    service_.Until(id, [](const json& job) {
      return job.value("progress", json::object()).value("step", "0") != "0";
    });
    return id;
  }
  std::string WorkerState() {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(10));
    pb::ListWorkersResponse answer;
    EXPECT_TRUE(user_->stub().ListWorkers(&context, {}, &answer).ok());
    return answer.workers().empty() ? "" : std::string(TextOf(answer.workers(0).state()));
  }
  // How long until `done`; a minute when it never is.
  template <typename Done>
  absl::Duration Takes(Done done) {
    const absl::Time begin = absl::Now();
    while (!done() && absl::Now() < begin + absl::Minutes(1)) Pause(absl::Milliseconds(5));
    return absl::Now() - begin;
  }
  void ExpectHistory() {
    EXPECT_EQ(CheckHistory(user_->AllJobs()), std::vector<std::string>{});
    EXPECT_EQ(CheckTransitions(service_.Log("coordinator")), std::vector<std::string>{});
  }

  const bool default_times_;
  const int lease_;
  LocalService service_;
  std::optional<TcpProxy> proxy_;
  std::optional<StubbornUser> user_;
};

TEST_F(DeadWorker, AKilledAgentIsShownWithinTwoSeconds) {
  StartAll();
  RunJob("job");
  absl::Duration worst;
  constexpr int kKills = 3;
  for (int i = 0; i < kKills; ++i) {
    ASSERT_LT(Takes([&] { return WorkerState() == "ready"; }), absl::Seconds(30));
    service_.Signal("worker", SIGKILL);
    worst = std::max(worst, Takes([&] { return WorkerState() != "ready"; }));
    service_.Wait("worker");
    service_.Start("worker");
  }
  std::cout << kKills << " agents killed, shown after at most " << Words(worst) << std::endl;
  EXPECT_LE(worst, absl::Seconds(2));
  ExpectHistory();
}

TEST_F(DeadWorker, ASilentHostIsFencedALittleAfterItsLease) {
  StartAll();
  const std::string id = RunJob("job");
  const std::vector<pid_t> old_ranks = ProcessesWith(absl::StrCat("FPO_ATTEMPT=", id, "/1/"));
  ASSERT_EQ(old_ranks.size(), 1u);
  proxy_->Silence(true);
  const absl::Duration fenced =
      Takes([&] { return user_->Get(id).attempts(0).end_class() == pb::END_CLASS_INFRASTRUCTURE; });
  EXPECT_GE(fenced, absl::Seconds(lease_ - 2)) << "not before the lease";
  EXPECT_LE(fenced, absl::Seconds(lease_ + 2));
  EXPECT_EQ(ProcessesWith(absl::StrCat("FPO_ATTEMPT=", id, "/1/")), old_ranks)
      << "a lost connection stops no training";
  proxy_->Silence(false);
  const absl::Duration killed =
      Takes([&] { return ProcessesWith(absl::StrCat("FPO_ATTEMPT=", id, "/1/")).empty(); });
  const absl::Duration replaced =
      Takes([&] { return !ProcessesWith(absl::StrCat("FPO_ATTEMPT=", id, "/2/")).empty(); });
  std::cout << "lease " << lease_ << " s: a silent host is fenced after " << Words(fenced)
            << ", its ranks die " << Words(killed) << " after it speaks again, replaced "
            << Words(replaced) << " later" << std::endl;
  EXPECT_LE(killed, absl::Seconds(15));
  EXPECT_LE(replaced, absl::Seconds(30));
  ExpectHistory();
}

}  // namespace
}  // namespace fpo::testing
