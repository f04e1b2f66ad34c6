// Several coordinators on one PostgreSQL database, as real programs.

#include <signal.h>

#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/coordinator_pair.h"

namespace fpo::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class LeaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = PostgresServer::Missing(); !missing.empty()) {
      GTEST_SKIP() << missing;
    }
    server_ = std::make_unique<PostgresServer>();
  }
  void StartPair(const std::string& url) {
    pair_ = std::make_unique<CoordinatorPair>(url);
    pair_->StartAll();
    leader_ = pair_->Leader();
    standby_ = leader_ == "a" ? "b" : "a";
  }
  // The job as JSON, from whoever leads.
  json Describe(const std::string& job) {
    const Outcome outcome = pair_->Ctl({"describe", job, "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const json answer = json::parse(outcome.out, nullptr, false);
    return answer.is_object() ? answer.value("job", answer) : answer;
  }
  void AwaitState(const std::string& job, const std::string& state) {
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    json now;
    while ((now = Describe(job)).value("state", "") != state) {
      ASSERT_LT(absl::Now(), give_up) << now;
      absl::SleepFor(absl::Milliseconds(50));
    }
  }
  std::string Ok(const std::vector<std::string>& words) {
    const Outcome outcome = pair_->Ctl(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  std::unique_ptr<PostgresServer> server_;
  std::unique_ptr<CoordinatorPair> pair_;
  std::string leader_, standby_;
};

TEST_F(LeaderTest, AStandbySaysWhoLeadsAndTakesOverFromAKilledLeader) {
  StartPair(server_->Url());
  const std::string job = pair_->SubmitRun("long", "steps-1000000-20-50");
  AwaitState(job, "RUNNING");
  EXPECT_THAT(pair_->Http(standby_, "/healthz"), HasSubstr("standby"));
  EXPECT_THAT(pair_->Http(standby_, "/readyz"), HasSubstr(pair_->address(leader_)));
  EXPECT_THAT(pair_->Http(standby_, "/metrics"), HasSubstr("fpo_coordinator_leads 0"));
  EXPECT_THAT(pair_->Http(leader_, "/metrics"), HasSubstr("fpo_coordinator_leads 1"));
  const Outcome asked = pair_->Ctl({"list", "--json"}, pair_->address(standby_));
  EXPECT_EQ(asked.code, 5) << asked.err;
  EXPECT_THAT(asked.err, HasSubstr("NOT_LEADER"));
  EXPECT_THAT(asked.err, HasSubstr(pair_->address(leader_)));
  EXPECT_THAT(Ok({"health", "coordinator"}), HasSubstr("STANDBY"));

  Process follower = pair_->CtlProcess({"watch", job, "--json"});
  ASSERT_TRUE(follower.ReadLine(absl::Seconds(20)).has_value());
  pair_->Kill(leader_);
  const absl::Time killed = absl::Now();
  ASSERT_EQ(pair_->Leader(), standby_);
  EXPECT_LT(absl::Now() - killed, absl::Seconds(10)) << "the lease is 1s";
  const json now = Describe(job);
  EXPECT_EQ(now.value("state", ""), "RUNNING");
  EXPECT_EQ(now["attempts"].size(), 1u) << "nothing runs twice";
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (pair_->Http("worker", "/readyz") != "ok\n") {
    ASSERT_LT(absl::Now(), give_up) << "the worker did not find the new leader";
    absl::SleepFor(absl::Milliseconds(50));
  }
  Ok({"cancel", job});
  AwaitState(job, "CANCELLED");
  // The follower found the new leader too.
  std::string last;
  while (auto line = follower.ReadLine(absl::Seconds(20))) last = *line;
  EXPECT_THAT(last, HasSubstr("CANCELLED"));
}

TEST_F(LeaderTest, AStoppedLeaderThatComesBackWritesNothing) {
  StartPair(server_->Url());
  const std::string job = pair_->SubmitRun("long", "steps-1000000-20-50");
  AwaitState(job, "RUNNING");
  const std::string file = pair_->Path("late.yaml");
  pair_->SubmitRun("held", "steps-3-1-0");
  pair_->Signal(leader_, SIGSTOP);
  // A user who knows only the stopped one, whose submit is in its socket when it wakes up.
  std::ofstream(file) << "name: late\nmodel: {path: model}\ndata: {train: [train.jsonl]}\n"
                      << "method: {name: sft}\noutput: runs/late\n";
  Process late = pair_->CtlProcess({"submit", file, "-q"}, pair_->address(leader_));
  ASSERT_EQ(pair_->Leader(), standby_);
  Ok({"cancel", job});
  AwaitState(job, "CANCELLED");
  pair_->Signal(leader_, SIGCONT);
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (pair_->Http(leader_, "/healthz").find("standby") == std::string::npos) {
    ASSERT_LT(absl::Now(), give_up) << pair_->Log(leader_);
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_THAT(pair_->Log(leader_), HasSubstr("leads no more"));
  const std::string acknowledged = late.ReadAll(absl::Seconds(30));
  const int code = late.Wait(absl::Seconds(30));
  EXPECT_NE(code, 0) << "acknowledged by a deposed leader: " << acknowledged;
  EXPECT_THAT(Ok({"list", "--json"}), Not(HasSubstr("\"late\"")));
  EXPECT_EQ(Describe(job).value("state", ""), "CANCELLED");
  EXPECT_EQ(pair_->Leader(), standby_);
}

TEST_F(LeaderTest, ARestartedDatabaseLosesNothing) {
  StartPair(server_->Url());
  const std::string job = pair_->SubmitRun("long", "steps-400-20-50");
  AwaitState(job, "RUNNING");
  std::set<std::string> submitted;
  for (const char* how : {"fast", "immediate"}) {
    for (int i = 0; i < 5; ++i) {
      submitted.insert(pair_->SubmitRun(absl::StrCat(how, i), "steps-3-1-0"));
    }
    server_->Stop(how);
    absl::SleepFor(absl::Milliseconds(300));
    server_->Start();
    ASSERT_NE(pair_->Leader(), "");
    for (const std::string& id : submitted) EXPECT_NE(Describe(id).value("state", ""), "");
  }
  AwaitState(job, "SUCCEEDED");
  EXPECT_EQ(Describe(job)["attempts"].size(), 1u);
}

// With synchronous replication what was acknowledged is on the replica too.
TEST_F(LeaderTest, APromotedReplicaHasWhatWasAcknowledged) {
  PostgresServer replica(*server_, {"hot_standby=on"});
  server_->Query("ALTER SYSTEM SET synchronous_standby_names = '*'");
  server_->Query("SELECT pg_reload_conf()");
  const absl::Time attached = absl::Now() + absl::Seconds(30);
  while (server_->Query("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") !=
         "1") {
    ASSERT_LT(absl::Now(), attached);
    absl::SleepFor(absl::Milliseconds(50));
  }
  StartPair(PostgresServer::UrlOf({server_.get(), &replica}));
  const std::string job = pair_->SubmitRun("long", "steps-1000000-20-50");
  AwaitState(job, "RUNNING");
  std::set<std::string> submitted;
  for (int i = 0; i < 8; ++i) {
    submitted.insert(pair_->SubmitRun(absl::StrCat("s", i), "steps-1000000-20-50"));
  }
  server_->Kill();
  replica.Promote();
  ASSERT_NE(pair_->Leader(), "");
  for (const std::string& id : submitted) EXPECT_NE(Describe(id).value("state", ""), "") << id;
  EXPECT_EQ(Describe(job).value("state", ""), "RUNNING");
  EXPECT_EQ(Describe(job)["attempts"].size(), 1u);
  Ok({"cancel", job});
}

// A replica that was behind lost acknowledged changes: agents have seen them, and say so.
TEST_F(LeaderTest, AReplicaThatLostChangesIsNotObeyedUntilThatIsAccepted) {
  PostgresServer replica(*server_, {"hot_standby=on"});
  StartPair(PostgresServer::UrlOf({server_.get(), &replica}));
  const std::string before = pair_->SubmitRun("before", "steps-3-1-0");
  AwaitState(before, "SUCCEEDED");
  replica.Stop("fast");  // it falls behind
  const std::string job = pair_->SubmitRun("long", "steps-1000000-20-50");
  AwaitState(job, "RUNNING");
  server_->Kill();
  replica.Start();
  replica.Promote();
  ASSERT_NE(pair_->Leader(), "");
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (pair_->Log("worker").find("it is an older copy") == std::string::npos) {
    ASSERT_LT(absl::Now(), give_up) << pair_->Log("worker");
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_FALSE(ProcessesWith(absl::StrCat("FPO_ATTEMPT=", job, "/1/")).empty()) << "it runs on";
  for (const char* name : {"a", "b"}) {
    pair_->Signal(name, SIGTERM);
    EXPECT_EQ(pair_->Wait(name), 0);
  }
  const Outcome accepted =
      RunProgram({Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--accept-older", "--store",
                  PostgresServer::UrlOf({server_.get(), &replica})});
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  pair_->Start("a");
  ASSERT_EQ(pair_->Leader(), "a");
  const absl::Time stopped = absl::Now() + absl::Seconds(30);
  while (!ProcessesWith(absl::StrCat("FPO_ATTEMPT=", job, "/1/")).empty()) {
    ASSERT_LT(absl::Now(), stopped) << "a job of the lost time is stopped";
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(Describe(before).value("state", ""), "SUCCEEDED");
}

TEST_F(LeaderTest, ThePasswordIsNeitherInTheCommandLineNorInTheLog) {
  StartPair(server_->Url());
  const Outcome refused =
      RunProgram({Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--store",
                  "postgresql://fpo:geheim@db/jobs", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--store-password-file"));
  EXPECT_THAT(refused.err, Not(HasSubstr("geheim")));
}

}  // namespace
}  // namespace fpo::testing
