// Wall clocks that jump, of the coordinator and of a worker's host: nothing is taken for dead, hung
// or old because of it.

#include <iostream>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/host/faults.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

TEST(ClockJumpChaos, NoJumpEndsAnAttempt) {
  if (const std::string missing = Faults::Missing(); !missing.empty()) GTEST_SKIP() << missing;
  LocalService service({.trainer = "fake", .heartbeat = "300ms", .lease = "3s", .reattach = "3s"});
  Faults coordinator(service.Path("coordinator.faults"));
  Faults worker(service.Path("worker.faults"));
  service.SetEnvironment("coordinator", coordinator.Environment());
  service.SetEnvironment("worker", worker.Environment());
  service.StartAll();
  EXPECT_TRUE(coordinator.IsLoadedBy(service.Pid("coordinator")));
  EXPECT_TRUE(worker.IsLoadedBy(service.Pid("worker")));
  const Outcome outcome =
      service.Ctl({"submit", service.WriteFakeJob("job", "steps-100000000-10-1000"), "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string id = outcome.out.substr(0, outcome.out.find('\n'));
  ASSERT_TRUE(service.Until(id, [](const json& job) {
    return Number(job.value("progress", json::object()), "step") >= 1;
  })) << "until then its preparing process runs";
  const std::vector<pid_t> ranks = ProcessesWith("FPO_ATTEMPT=" + id);
  ASSERT_EQ(ranks.size(), 1u);
  const int jumps = ChaosCount("FPO_CHAOS_JUMPS", 4);
  constexpr int64_t kTo[] = {3600, 0, -3600, 40 * 86'400, 60, 0};
  for (int i = 0; i < jumps; ++i) {
    Faults& whose = i % 2 == 0 ? coordinator : worker;
    whose.ShiftClock(kTo[(i / 2) % 6]);
    // A second and more of steps of 10 ms: the coordinator judged its leases in between.
    const int64_t step = Number(service.Describe(id)["progress"], "step") + 120;
    EXPECT_TRUE(service.Until(id, [&](const json& job) {
      return Number(job.value("progress", json::object()), "step") >= step;
    }));
    EXPECT_EQ(ProcessesWith("FPO_ATTEMPT=" + id), ranks)
        << (i % 2 == 0 ? "coordinator" : "worker") << " to " << kTo[(i / 2) % 6] << " s";
  }
  coordinator.ShiftClock(0);
  worker.ShiftClock(0);
  const json job = service.Describe(id);
  EXPECT_EQ(job["attempts"].size(), 1u) << job.dump();
  EXPECT_EQ(job.value("state", ""), "RUNNING");
  const std::string metrics = service.Http("coordinator", "/metrics");
  EXPECT_NE(metrics.find("fpo_lease_expirations_total{kind=\"worker\"} 0\n"), std::string::npos);
  std::cout << "clock jumps: " << jumps
            << " of coordinator and worker, an hour and 40 days forward, an "
            << "hour back: 0 leases expired, " << job["attempts"].size() << " attempt" << std::endl;
  EXPECT_EQ(CheckTransitions(service.Log("coordinator")), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::testing
