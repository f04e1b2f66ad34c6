// Changes of leader under load: two coordinators on one PostgreSQL database. What was acknowledged
// is there, once; a job that trains is not disturbed.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/coordinator_pair.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;

TEST(LeaderChaos, ChangesUnderLoadLoseAndDoubleNothing) {
  const std::string missing = PostgresServer::Missing();
  if (!missing.empty()) GTEST_SKIP() << missing;
  const int changes = ChaosCount("FPO_CHAOS_LEADERS", 4);
  constexpr int kClients = 3;
  ChaosRandom random;
  PostgresServer server;
  CoordinatorPair pair(server.Url());
  pair.StartAll();
  const std::string run = pair.SubmitRun("run", "steps-1000000-50-100");
  std::atomic<bool> stop = false;
  std::atomic<int64_t> answers = 0, lost_answers = 0;
  std::vector<std::map<std::string, std::string>> acknowledged(kClients);
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      StubbornUser user(pair.addresses());
      for (int i = 0; !stop; ++i) {
        const std::string name = absl::StrCat("c", c, "-", i);
        acknowledged[static_cast<size_t>(c)][name] =
            user.Submit(name, ChaosJob(name), [] { return absl::Seconds(3); });
        ++answers;
      }
      lost_answers += user.lost_answers();
    });
  }
  std::map<std::string, int> kinds;
  std::vector<absl::Duration> gaps;  // without an answer to anybody
  for (int i = 0; i < changes; ++i) {
    const int64_t before = answers;
    for (const absl::Time end = absl::Now() + absl::Seconds(60);
         answers < before + 3 && absl::Now() < end;) {
      Pause(absl::Milliseconds(2));
    }
    ASSERT_GE(answers, before + 3) << "the clients get no answers before change " << i;
    Pause(random.Between(absl::ZeroDuration(), absl::Milliseconds(300)));
    const std::string leader = pair.Leader();
    ASSERT_NE(leader, "") << "change " << i;
    const absl::Time begin = absl::Now();
    const int64_t at = answers;
    const int kind = random.Below(4);
    if (kind == 0) {
      ++kinds["stopped and revived"];
      pair.Signal(leader, SIGSTOP);
    } else if (kind == 1) {
      ++kinds["SIGTERM"];
      pair.Signal(leader, SIGTERM);
      EXPECT_EQ(pair.Wait(leader), 0);
    } else if (kind == 2) {
      ++kinds["database restarted"];
      server.Stop("immediate");
      server.Start();
    } else {
      ++kinds["SIGKILL"];
      pair.Kill(leader);
    }
    for (const absl::Time end = begin + absl::Seconds(60);
         answers <= at + kClients && absl::Now() < end;) {
      Pause(absl::Milliseconds(2));
    }
    EXPECT_GT(answers, at + kClients) << "nobody took the lead after change " << i;
    gaps.push_back(absl::Now() - begin);
    if (kind == 0) pair.Signal(leader, SIGCONT);
    if (kind == 1 || kind == 3) pair.Start(leader);
  }
  stop = true;
  for (std::thread& client : clients) client.join();

  std::map<std::string, std::string> all, stored;
  for (const auto& some : acknowledged) all.insert(some.begin(), some.end());
  StubbornUser user(pair.addresses());
  const std::vector<pb::Job> jobs = user.AllJobs();
  int duplicates = 0, lost = 0;
  for (const pb::Job& job : jobs) duplicates += !stored.emplace(job.name(), job.job_id()).second;
  for (const auto& [name, id] : all) lost += stored[name] != id;
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(duplicates, 0);
  EXPECT_EQ(jobs.size(), all.size() + 1);
  EXPECT_EQ(CheckHistory(jobs), std::vector<std::string>{});
  const pb::Job trained = user.Get(run);
  EXPECT_EQ(trained.state(), pb::JOB_STATE_RUNNING);
  EXPECT_EQ(trained.attempts_size(), 1) << "a change of leader stops no training";
  std::sort(gaps.begin(), gaps.end());
  std::cout << changes << " changes (";
  for (const auto& [kind, count] : kinds) std::cout << kind << " " << count << ", ";
  std::cout << "lease 1s), " << all.size() << " jobs acknowledged, " << lost_answers
            << " calls without an answer; without an answer: median "
            << Words(gaps[gaps.size() / 2]) << ", at most " << Words(gaps.back()) << std::endl;
}

}  // namespace
}  // namespace fpo::testing
