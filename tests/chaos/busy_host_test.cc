// Promise 5: no false death. Eight busy loops want the cores, agent and coordinator are stopped for
// a while again and again, and at last the coordinator for longer than a lease: nobody is taken for
// dead, and the job keeps its attempt.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <vector>

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

// Processes that only compute; killed at the end of its life.
class BusyLoops {
 public:
  explicit BusyLoops(int count) {
    for (int i = 0; i < count; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        for (volatile unsigned turns = 0;;) turns = turns + 1;
      }
      children_.push_back(child);
    }
  }
  ~BusyLoops() {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }

 private:
  std::vector<pid_t> children_;
};

// Minutes of the long tier, with a coordinator's own times; 0: seconds, with shorter ones.
int Minutes() { return ChaosCount("FPO_CHAOS_BUSY_MINUTES", 0); }

class BusyHost : public ::testing::Test {
 protected:
  BusyHost()
      : lease_(Minutes() > 0 ? absl::Seconds(15) : absl::Seconds(2)),
        service_({.trainer = "fake",
                  .heartbeat = Minutes() > 0 ? "2s" : "300ms",
                  .lease = absl::FormatDuration(lease_),
                  .reattach = absl::FormatDuration(lease_)}) {}

  double Expired() {
    const std::string metrics = service_.Http("coordinator", "/metrics");
    const std::string name = "\nfpo_lease_expirations_total{kind=\"worker\"} ";
    const size_t at = metrics.find(name);
    return at == std::string::npos ? 0 : std::stod(metrics.substr(at + name.size()));
  }
  void Stop(const std::string& program, absl::Duration time) {
    service_.Signal(program, SIGSTOP);
    Pause(time);
    service_.Signal(program, SIGCONT);
  }

  ChaosRandom random_;
  const absl::Duration lease_;
  LocalService service_;
};

TEST_F(BusyHost, NobodyIsTakenForDead) {
  service_.StartAll();
  const Outcome outcome =
      service_.Ctl({"submit", service_.WriteFakeJob("job", "steps-100000000-10-1000"), "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string id = outcome.out.substr(0, outcome.out.find('\n'));
  service_.Until(id, [](const json& job) {
    return job.value("progress", json::object()).value("step", "0") != "0";
  });
  const std::vector<pid_t> ranks = ProcessesWith("FPO_ATTEMPT=" + id);
  ASSERT_EQ(ranks.size(), 1u);
  HistoryWitness witness(service_.GrpcAddress("coordinator"));
  const BusyLoops loops(8);
  const absl::Duration pause = lease_ / 3;  // 5 s of 15
  const absl::Time end =
      absl::Now() + (Minutes() > 0 ? absl::Minutes(Minutes()) : absl::Seconds(2));
  int stops = 0;
  for (; absl::Now() < end; ++stops) {
    Stop(random_.Below(2) == 0 ? "worker" : "coordinator", pause);
    Pause(random_.Between(pause / 5, pause));
  }
  // Longer than the lease: a suspended machine. Who stood still cannot know who was silent.
  const int long_stops = Minutes() > 0 ? 5 : 1;
  for (int i = 0; i < long_stops; ++i) {
    Stop("coordinator", lease_ * 1.3);
    Pause(lease_ * 1.3);
  }
  const json job = service_.Describe(id);
  EXPECT_EQ(job["attempts"].size(), 1u) << job.dump();
  EXPECT_EQ(job.value("state", ""), "RUNNING");
  EXPECT_EQ(ProcessesWith("FPO_ATTEMPT=" + id), ranks);
  EXPECT_EQ(Expired(), 0);
  std::cout << "busy host: 8 busy loops, " << stops << " stops of " << pause
            << " of agent or coordinator, " << long_stops << " of " << lease_ * 1.3
            << " of the coordinator: " << Expired() << " leases expired, " << job["attempts"].size()
            << " attempt" << std::endl;
  EXPECT_EQ(witness.Stop(), std::vector<std::string>{});
  EXPECT_EQ(CheckTransitions(service_.Log("coordinator")), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::testing
