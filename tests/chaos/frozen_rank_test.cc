// A rank that neither works nor ends: stopped by a signal, as one that hangs in a driver. It is
// taken for hung and the job goes on from its checkpoint.

#include <signal.h>

#include <iostream>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

TEST(FrozenRankChaos, IsKilledAndTheJobGoesOn) {
  LocalService service({.trainer = "fake", .worker_flags = {"--stall-timeout", "2s"}});
  service.StartAll();
  const int freezes = ChaosCount("FPO_CHAOS_FREEZES", 2);
  const Outcome outcome =
      service.Ctl({"submit", service.WriteFakeJob("job", "steps-100000000-10-10"), "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string id = outcome.out.substr(0, outcome.out.find('\n'));
  absl::Duration longest;
  for (int i = 0; i < freezes; ++i) {
    const size_t attempts = static_cast<size_t>(i) + 1;
    ASSERT_TRUE(service.Until(id, [&](const json& job) {
      return job["attempts"].size() == attempts && job.value("state", "") == "RUNNING" &&
             Number(job, "checkpoint_step") > 10 * i;
    })) << service.Describe(id).dump();
    const std::vector<pid_t> ranks = ProcessesWith("FPO_ATTEMPT=" + id);
    ASSERT_EQ(ranks.size(), 1u);
    kill(ranks[0], SIGSTOP);
    const absl::Time begin = absl::Now();
    ASSERT_TRUE(
        service.Until(id, [&](const json& job) { return job["attempts"].size() == attempts + 1; }));
    longest = std::max(longest, absl::Now() - begin);
    EXPECT_NE(kill(ranks[0], 0), 0) << "the frozen process is gone";
  }
  const json job = service.Describe(id);
  EXPECT_EQ(Number(job, "restarts_used"), 0) << "a hang is not the job's fault";
  std::cout << "frozen rank: " << freezes
            << " ranks stopped, stall timeout 2 s: replaced after at most " << Words(longest)
            << std::endl;
  EXPECT_EQ(CheckTransitions(service.Log("coordinator")), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::testing
