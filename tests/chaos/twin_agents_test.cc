// Two agents of one name, as on a copied machine: one of them works, the other ends and says why.

#include <algorithm>
#include <iostream>
#include <iterator>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

TEST(TwinAgentsChaos, TheFirstKeepsItsNameAndItsJob) {
  LocalService service({.trainer = "fake"});
  service.StartAll();
  const Outcome outcome =
      service.Ctl({"submit", service.WriteFakeJob("job", "steps-100000000-10-1000"), "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string id = outcome.out.substr(0, outcome.out.find('\n'));
  ASSERT_TRUE(
      service.Until(id, [](const json& job) { return job.value("state", "") == "RUNNING"; }));
  const int twins = ChaosCount("FPO_CHAOS_TWINS", 3);
  absl::Duration longest;
  for (int i = 0; i < twins; ++i) {
    std::vector<std::string> twin = service.WorkerCommand("twin" + std::to_string(i));
    *std::next(std::find(twin.begin(), twin.end(), "--name")) = "w1";
    twin.insert(twin.end(), {"--http", "127.0.0.1:0"});
    const absl::Time begin = absl::Now();
    const Outcome ended = RunProgram(twin, {}, absl::Seconds(60));
    longest = std::max(longest, absl::Now() - begin);
    EXPECT_EQ(ended.code, 7) << ended.err;
    EXPECT_NE(ended.err.find("use --name"), std::string::npos) << ended.err;
  }
  const json job = service.Describe(id);
  EXPECT_EQ(job["attempts"].size(), 1u) << job.dump();
  EXPECT_EQ(job.value("state", ""), "RUNNING");
  std::cout << "twin agents: " << twins << " ended with exit code 7 after at most "
            << Words(longest) << ", the first kept its job: " << job["attempts"].size()
            << " attempt" << std::endl;
  EXPECT_EQ(CheckTransitions(service.Log("coordinator")), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::testing
