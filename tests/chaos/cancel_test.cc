// Promise 9: cancel ends, whatever the ranks do with SIGTERM, whomever they forked and whatever is
// held open; a worker that never confirms is closed.

#include <atomic>
#include <iostream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "gtest/gtest.h"
#include "tests/chaos/agent_session.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;
using nlohmann::json;

// Seconds: 2 quickly, the long tier gives the default of 30.
int Grace() { return ChaosCount("FPO_CHAOS_CANCEL_GRACE", 2); }

constexpr int kBehaviours = 5;

class CancelChaos : public ::testing::Test {
 protected:
  CancelChaos()
      : service_({.trainer = "fake",
                  .slots = kBehaviours,
                  .coordinator_flags = {"--cancel-grace", absl::StrCat(Grace(), "s")}}) {}
  void ExpectHistory() {
    StubbornUser user(service_.GrpcAddress("coordinator"));
    EXPECT_EQ(CheckHistory(user.AllJobs()), std::vector<std::string>{});
    EXPECT_EQ(CheckTransitions(service_.Log("coordinator")), std::vector<std::string>{});
  }
  LocalService service_;
};

TEST_F(CancelChaos, EveryKindOfRankEndsInTime) {
  service_.StartAll();
  StubbornUser user(service_.GrpcAddress("coordinator"));
  // Whether the ranks of a job end by themselves within the grace.
  const std::string run = "steps-1000000-10-100";
  const std::map<std::string, bool> cooperates = {{run, true},
                                                  {run + "+hold", true},
                                                  {run + "+stubborn", false},
                                                  {"fork+" + run + "+stubborn", false},
                                                  {run + "+stubborn+hold", false}};
  std::map<std::string, std::string> ids;
  for (const auto& [how, cooperative] : cooperates) {
    const std::string name = absl::StrCat("job-", ids.size());
    const Outcome outcome = service_.Ctl({"submit", service_.WriteFakeJob(name, how), "-q"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    ids[how] = outcome.out.substr(0, outcome.out.find('\n'));
  }
  for (const auto& [how, id] : ids) {
    const bool forks =
        how.find("+hold") != std::string::npos || how.find("fork+") != std::string::npos;
    const auto running = [id = id] { return ProcessesWith("FPO_ATTEMPT=" + id).size(); };
    const absl::Time end = absl::Now() + absl::Seconds(30);
    service_.Until(id, [](const json& job) {
      return job.value("progress", json::object()).value("phase", "") == "train";
    });
    while (running() < (forks ? 2u : 1u) && absl::Now() < end) Pause(absl::Milliseconds(20));
    ASSERT_GE(running(), forks ? 2u : 1u) << how;
  }
  std::map<std::string, absl::Duration> took;
  const absl::Time begin = absl::Now();
  for (const auto& [how, id] : ids) EXPECT_EQ(service_.Ctl({"cancel", id}).code, 0);
  while (took.size() < ids.size() && absl::Now() < begin + absl::Seconds(Grace() + 20)) {
    for (const auto& [how, id] : ids) {
      if (took.count(how) == 0 && user.Get(id).state() == pb::JOB_STATE_CANCELLED) {
        took[how] = absl::Now() - begin;
        EXPECT_TRUE(ProcessesWith("FPO_ATTEMPT=" + id).empty()) << how << " left processes";
      }
    }
    Pause(absl::Milliseconds(20));
  }
  absl::Duration cooperative, forced;
  for (const auto& [how, yields] : cooperates) {
    ASSERT_EQ(took.count(how), 1u) << how << " is not cancelled";
    absl::Duration& slowest = yields ? cooperative : forced;
    slowest = std::max(slowest, took[how]);
  }
  EXPECT_LE(cooperative, absl::Seconds(Grace()));
  EXPECT_LE(forced, absl::Seconds(Grace() + 5));
  std::cout << "cancel, grace " << Grace() << " s: cooperative after at most " << Words(cooperative)
            << ", forced after at most " << Words(forced) << ", 0 processes left" << std::endl;
  ExpectHistory();
}

TEST_F(CancelChaos, AWorkerThatNeverConfirmsIsClosed) {
  if (ChaosCount("FPO_CHAOS_UNCONFIRMED", 0) == 0) {
    GTEST_SKIP() << "takes a minute: FPO_CHAOS_UNCONFIRMED=1";
  }
  service_.Start("coordinator");
  const std::string address = service_.GrpcAddress("coordinator");
  StubbornUser user(address);
  const auto stub = pb::WorkerControl::NewStub(MakeChannel(address).value());
  AgentSession session(stub.get(), "mute", "i", {});
  pb::SubmitRequest request;
  request.set_request_id("one");
  request.mutable_spec()->set_config_json(ChaosJob("job", "zombie=mute"));
  request.mutable_spec()->set_owner("chaos");
  pb::SubmitResponse submitted;
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(10));
  ASSERT_TRUE(user.stub().Submit(&context, request, &submitted).ok());
  pb::CoordinatorMessage message;
  ASSERT_TRUE(session.Await(pb::CoordinatorMessage::kAssign, &message));
  session.Report(message.assign().attempt(), pb::AttemptReport::STATUS_ACCEPTED);
  session.Report(message.assign().attempt(), pb::AttemptReport::STATUS_RUNNING);
  std::atomic<bool> stop = false;
  std::thread heartbeats([&] {
    for (; !stop; Pause(absl::Milliseconds(200))) session.Heartbeat();
  });
  const absl::Time begin = absl::Now();
  EXPECT_EQ(service_.Ctl({"cancel", submitted.job_id(), "--now"}).code, 0);
  while (user.Get(submitted.job_id()).state() != pb::JOB_STATE_CANCELLED &&
         absl::Now() < begin + absl::Seconds(90)) {
    Pause(absl::Milliseconds(100));
  }
  const absl::Duration took = absl::Now() - begin;
  const std::string workers = service_.Ctl({"workers", "list", "--json"}).out;
  stop = true;
  heartbeats.join();
  std::cout << "kill unconfirmed: cancelled after " << Words(took) << ", then " << workers
            << std::endl;
  EXPECT_GE(took, absl::Seconds(59));
  EXPECT_LE(took, absl::Seconds(65));
  EXPECT_NE(workers.find("cordoned"), std::string::npos);
  EXPECT_NE(workers.find("did not confirm the end"), std::string::npos);
  ExpectHistory();
}

}  // namespace
}  // namespace fpo::testing
