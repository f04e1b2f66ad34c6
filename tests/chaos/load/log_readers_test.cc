// Readers of a long log whose filter fits nothing: each makes the coordinator look at every line,
// and none of that may delay a heartbeat.

#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "gtest/gtest.h"
#include "tests/chaos/agent_session.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;

class LogReadersChaos : public ::testing::Test {
 protected:
  LogReadersChaos() : service_({.heartbeat = "200ms", .lease = "3s"}) {
    service_.Start("coordinator");
    user_.emplace(service_.GrpcAddress("coordinator"));
    channel_ = MakeChannel(service_.GrpcAddress("coordinator")).value();
    stub_ = pb::WorkerControl::NewStub(channel_);
  }
  // A job that runs on this scripted agent.
  void Begin() {
    pb::SubmitRequest request;
    request.set_request_id("long");
    request.mutable_spec()->set_config_json(ChaosJob("long", "zombie=w1"));
    request.mutable_spec()->set_owner("chaos");
    pb::SubmitResponse response;
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    ASSERT_TRUE(user_->stub().Submit(&context, request, &response).ok());
    job_ = response.job_id();
    agent_.emplace(stub_.get(), "w1", "i", std::vector<pb::AttemptRef>());
    beats_ = std::thread([this] {
      while (!over_) {
        agent_->Heartbeat();
        Pause(absl::Milliseconds(200));
      }
    });
    pb::CoordinatorMessage assign;
    ASSERT_TRUE(agent_->Await(pb::CoordinatorMessage::kAssign, &assign));
    ref_ = assign.assign().attempt();
    agent_->Report(ref_, pb::AttemptReport::STATUS_ACCEPTED);
    agent_->Report(ref_, pb::AttemptReport::STATUS_RUNNING);
    reads_ = std::thread([this] {
      pb::CoordinatorMessage message;
      while (agent_->Await(pb::CoordinatorMessage::kBeatAck, &message)) ++answered_;
    });
  }
  void TearDown() override {
    over_ = true;
    if (beats_.joinable()) beats_.join();
    service_.Kill("coordinator");
    if (reads_.joinable()) reads_.join();
  }

  LocalService service_;
  std::optional<StubbornUser> user_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::WorkerControl::Stub> stub_;
  std::string job_;
  pb::AttemptRef ref_;
  std::optional<AgentSession> agent_;
  std::atomic<bool> over_ = false;
  std::atomic<int64_t> answered_ = 0;
  std::thread beats_, reads_;
};

TEST_F(LogReadersChaos, EightThatFindNothingCostNoLease) {
  const int lines = ChaosCount("FPO_CHAOS_LOG_LINES", 50'000);
  Begin();
  const std::string text = "step 12345 loss 0.6931 reward 0.0123 margin 0.0456 grad_norm 1.234";
  int64_t next = 1;
  const auto write = [&](int count) {
    ASSERT_TRUE(agent_->Logs(ref_, static_cast<uint64_t>(next), count, text));
    next += count;
  };
  while (next <= lines) write(500);
  std::vector<Process> readers;
  for (int i = 0; i < 8; ++i) {
    readers.push_back(service_.CtlProcess({"logs", "-f", "--rank", "99", job_}));
  }
  // New lines of rank 0 wake them all, again and again.
  absl::Duration slowest;
  const int64_t answered_before = answered_;
  const absl::Time begin = absl::Now();
  const absl::Time end = begin + absl::Seconds(ChaosCount("FPO_CHAOS_LOG_SECONDS", 4));
  while (absl::Now() < end) {
    write(10);
    const absl::Time asked = absl::Now();
    (void)user_->Get(job_);
    slowest = std::max(slowest, absl::Now() - asked);
    Pause(absl::Milliseconds(100));
  }
  const double beats = static_cast<double>(answered_ - answered_before) /
                       (absl::ToDoubleSeconds(absl::Now() - begin) / 0.2);
  const pb::Job job = user_->Get(job_);
  EXPECT_EQ(job.state(), pb::JOB_STATE_RUNNING) << job.ShortDebugString();
  EXPECT_EQ(job.attempts_size(), 1);
  EXPECT_GT(beats, 0.5);
  const std::string metrics = service_.Http("coordinator", "/metrics");
  EXPECT_NE(metrics.find("fpo_lease_expirations_total{kind=\"worker\"} 0\n"), std::string::npos);
  std::cout << "log readers: 8 x logs -f --rank 99 on " << next - 1
            << " lines: " << static_cast<int>(beats * 100)
            << " % of heartbeats answered in time, slowest GetJob " << Words(slowest) << ", "
            << job.attempts_size() << " attempt, lease 3 s" << std::endl;
}

}  // namespace
}  // namespace fpo::testing
