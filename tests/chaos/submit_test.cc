// Promises 1, 2 and 21: an acknowledged submit survives every kill, a request makes one job however
// often it is repeated, and a coordinator that is told to end does so in order.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;

absl::Duration Patient() { return absl::Seconds(5); }

class SubmitChaos : public ::testing::Test {
 protected:
  SubmitChaos() { service_.Start("coordinator"); }
  std::string Address() { return service_.GrpcAddress("coordinator"); }

  // Each acknowledged job is there, once, under the id that was told; nothing else is.
  void ExpectExactly(const std::map<std::string, std::string>& acknowledged) {
    StubbornUser user(Address());
    const std::vector<pb::Job> jobs = user.AllJobs();
    std::map<std::string, std::string> stored;
    int duplicates = 0;
    for (const pb::Job& job : jobs) duplicates += !stored.emplace(job.name(), job.job_id()).second;
    int lost = 0;
    for (const auto& [name, id] : acknowledged) lost += stored[name] != id;
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(duplicates, 0);
    EXPECT_EQ(jobs.size(), acknowledged.size());
    EXPECT_EQ(CheckHistory(jobs), std::vector<std::string>{});
    EXPECT_EQ(CheckTransitions(service_.Log("coordinator")), std::vector<std::string>{});
  }

  ChaosRandom random_;
  LocalService service_;
};

TEST_F(SubmitChaos, KillsUnderLoadLoseAndDoubleNothing) {
  const int kills = ChaosCount("FPO_CHAOS_KILLS", 8);
  constexpr int kClients = 4;
  std::atomic<bool> stop = false;
  std::vector<std::map<std::string, std::string>> acknowledged(kClients);
  std::atomic<int64_t> lost_answers = 0, answers = 0;
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      StubbornUser user(Address());
      for (int i = 0; !stop; ++i) {
        const std::string name = absl::StrCat("c", c, "-", i);
        acknowledged[static_cast<size_t>(c)][name] = user.Submit(name, ChaosJob(name), Patient);
        ++answers;
      }
      lost_answers += user.lost_answers();
    });
  }
  int orderly = 0;
  for (int i = 0; i < kills; ++i) {
    // Not before the clients are back at work: killing an idle coordinator shows nothing.
    const int64_t before = answers;
    for (const absl::Time end = absl::Now() + absl::Seconds(20);
         answers == before && absl::Now() < end;) {
      Pause(absl::Milliseconds(1));
    }
    Pause(random_.Between(absl::ZeroDuration(), absl::Milliseconds(200)));
    if (random_.Below(4) == 0) {
      const absl::Time begin = absl::Now();
      service_.Signal("coordinator", SIGTERM);
      EXPECT_EQ(service_.Wait("coordinator"), 0) << "a drain ends with 0";
      EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
      ++orderly;
    } else {
      service_.Kill("coordinator");
    }
    service_.Start("coordinator");
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  std::map<std::string, std::string> all;
  for (const auto& some : acknowledged) all.insert(some.begin(), some.end());
  std::cout << kills << " ends (" << orderly << " by SIGTERM), " << all.size()
            << " jobs acknowledged, " << lost_answers << " calls without an answer" << std::endl;
  EXPECT_GT(all.size(), static_cast<size_t>(kills));
  ExpectExactly(all);
}

// Deadlines so short that the coordinator often carries out what the caller takes for lost: they
// shrink while answers come in time and grow while none does, so that a fast machine and a busy one
// lose about as many.
TEST_F(SubmitChaos, CarriedOutButTimedOutIsStillOneJob) {
  const int submits = ChaosCount("FPO_CHAOS_SUBMITS", 400);
  std::map<std::string, std::string> acknowledged;
  StubbornUser user(Address());
  user.AllJobs();  // connected
  int calls = 0;
  absl::Duration deadline = absl::Milliseconds(3);
  for (int i = 0; i < submits; ++i) {
    const std::string name = absl::StrCat("t-", i);
    int tries = 0;
    const int64_t lost = user.lost_answers();
    acknowledged[name] = user.Submit(name, ChaosJob(name), [&] {
      ++calls;
      return ++tries < 4 ? random_.Between(deadline / 4, deadline) : Patient();
    });
    deadline = user.lost_answers() == lost ? std::max(deadline * 0.8, absl::Microseconds(20))
                                           : std::min(deadline * 1.25, absl::Milliseconds(20));
  }
  std::cout << submits << " submits in " << calls << " calls, " << user.lost_answers()
            << " timed out" << std::endl;
  EXPECT_GT(user.lost_answers(), submits / 20) << "the deadlines are not short enough to test";
  ExpectExactly(acknowledged);
}

TEST_F(SubmitChaos, ManyClientsWithOneRequestGetOneJob) {
  constexpr int kClients = 100;
  std::vector<std::string> ids(kClients);
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      ids[static_cast<size_t>(c)] =
          StubbornUser(Address()).Submit("same", ChaosJob("same"), Patient);
    });
  }
  for (std::thread& client : clients) client.join();
  for (const std::string& id : ids) EXPECT_EQ(id, ids[0]);
  ExpectExactly({{"same", ids[0]}});
}

}  // namespace
}  // namespace fpo::testing
