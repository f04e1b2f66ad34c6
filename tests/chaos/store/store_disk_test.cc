// The disk of the coordinator's store: full, for a while and with a chatty job, and stalled for
// longer than a lease.

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "gtest/gtest.h"
#include "tests/chaos/agent_session.h"
#include "tests/chaos/host/faults.h"
#include "tests/chaos/service_chaos.h"
#include "tests/chaos/transition_check.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;
namespace fs = std::filesystem;
using nlohmann::json;

class StoreDiskChaos : public ::testing::Test {
 protected:
  // A file system of 96 MiB for the store, of which 16 MiB are the reserve.
  void StartOnSmallDisk(const std::vector<std::string>& more_flags) {
    std::vector<std::string> flags = {"--reserve-mib", "16"};
    flags.insert(flags.end(), more_flags.begin(), more_flags.end());
    service_.emplace(LocalService::Settings{.coordinator_flags = flags});
    disk_ = service_->Path("coordinator");
    fs::create_directories(disk_);
    mounted_ = mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=96m") == 0;
    if (!mounted_) return;
    service_->Start("coordinator");
    user_.emplace(service_->GrpcAddress("coordinator"));
    channel_ = MakeChannel(service_->GrpcAddress("coordinator")).value();
    stub_ = pb::WorkerControl::NewStub(channel_);
  }
  void TearDown() override {
    agent_.reset();
    service_.reset();
    if (mounted_) umount2(disk_.c_str(), MNT_DETACH);
  }
  grpc::Status Submit(const std::string& name, const std::string& label, std::string* id) {
    pb::SubmitRequest request;
    request.set_request_id(name);
    request.mutable_spec()->set_config_json(ChaosJob(name, label));
    request.mutable_spec()->set_owner("chaos");
    pb::SubmitResponse response;
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    const grpc::Status status = user_->stub().Submit(&context, request, &response);
    *id = response.job_id();
    return status;
  }
  // A job that runs on the scripted agent.
  void Begin() {
    ASSERT_TRUE(Submit("chatty", "zombie=w1", &job_).ok());
    agent_.emplace(stub_.get(), "w1", "i", std::vector<pb::AttemptRef>());
    pb::CoordinatorMessage assign;
    ASSERT_TRUE(agent_->Await(pb::CoordinatorMessage::kAssign, &assign));
    ref_ = assign.assign().attempt();
    agent_->Report(ref_, pb::AttemptReport::STATUS_ACCEPTED);
    agent_->Report(ref_, pb::AttemptReport::STATUS_RUNNING);
  }
  // Everything before it was handled, and the session is still there.
  bool Beat() {
    agent_->Heartbeat();
    pb::CoordinatorMessage ack;
    return agent_->Await(pb::CoordinatorMessage::kBeatAck, &ack);
  }
  void Fill(int64_t left_mib) {
    std::ofstream filler(disk_ + "/filler", std::ios::binary | std::ios::app);
    const std::string block(64 << 10, 'x');
    while (fs::space(disk_).available > static_cast<uint64_t>(left_mib) << 20) {
      if (!filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) break;
    }
  }
  size_t LogLines() {
    const Outcome logs = service_->Ctl({"logs", job_});
    EXPECT_EQ(logs.code, 0) << logs.err;
    return static_cast<size_t>(std::count(logs.out.begin(), logs.out.end(), '\n'));
  }
  static bool Eventually(const std::function<bool()>& done) {
    for (const absl::Time end = absl::Now() + absl::Seconds(30); absl::Now() < end;) {
      if (done()) return true;
      Pause(absl::Milliseconds(20));
    }
    return done();
  }
  bool Refuses(const std::string& what) {
    return service_->Http("coordinator", "/metrics").find("\nfpo_store_" + what + "_refused 1\n") !=
           std::string::npos;
  }

  std::string disk_;
  bool mounted_ = false;
  std::optional<LocalService> service_;
  std::optional<StubbornUser> user_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::WorkerControl::Stub> stub_;
  std::optional<AgentSession> agent_;
  std::string job_;
  pb::AttemptRef ref_;
};

TEST_F(StoreDiskChaos, AFullDiskStopsLogsThenSubmitsAndNoCancel) {
  StartOnSmallDisk({});
  if (!mounted_) GTEST_SKIP() << "no small file system: mounting one needs root";
  Begin();
  std::string waits, refused;
  ASSERT_TRUE(Submit("waits", "zombie=none", &waits).ok());
  agent_->Logs(ref_, 1, 100, "before");
  ASSERT_TRUE(Beat());
  Fill(24);
  agent_->Logs(ref_, 101, 100, "meanwhile");
  agent_->Checkpoint(ref_, 1, 10);
  ASSERT_TRUE(Beat()) << "the session stays";
  EXPECT_TRUE(Refuses("logs"));
  EXPECT_FALSE(Refuses("submits"));
  EXPECT_EQ(user_->Get(job_).checkpoint_step(), 10);
  std::string id;
  EXPECT_TRUE(Submit("still", "zombie=none", &id).ok());
  Fill(8);
  const grpc::Status full = Submit("refused", "zombie=none", &refused);
  EXPECT_EQ(full.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << full.error_message();
  EXPECT_TRUE(Eventually([&] { return service_->Http("coordinator", "/readyz") != "ok\n"; }));
  EXPECT_EQ(service_->Ctl({"cancel", waits}).code, 0);
  EXPECT_EQ(user_->Get(waits).state(), pb::JOB_STATE_CANCELLED);
  ASSERT_TRUE(Beat());

  fs::remove(disk_ + "/filler");
  const absl::Time freed = absl::Now();
  pb::CoordinatorMessage resend;
  ASSERT_TRUE(agent_->Await(pb::CoordinatorMessage::kResendLogs, &resend));
  const absl::Duration asked = absl::Now() - freed;
  EXPECT_EQ(resend.resend_logs().from_seq(), 101u);
  agent_->Logs(ref_, 101, 100, "meanwhile");
  ASSERT_TRUE(Beat());
  EXPECT_EQ(LogLines(), 200u) << "none is lost, none is twice";
  EXPECT_TRUE(Submit("refused", "zombie=none", &refused).ok());
  service_->Kill("coordinator");
  service_->Start("coordinator");
  EXPECT_EQ(user_->Get(waits).state(), pb::JOB_STATE_CANCELLED);
  EXPECT_EQ(CheckHistory(user_->AllJobs()), std::vector<std::string>{});
  std::cout
      << "full disk: log lines waited below 32 MiB, submits were refused below 16 MiB, a cancel "
         "was stored at 8 MiB; lines asked for again "
      << Words(asked) << " after there was space, 0 of 200 lost" << std::endl;
}

// A job writes more than its share; what retention removes gives the space back, without a person.
TEST_F(StoreDiskChaos, AChattyJobFillsItAndRetentionMakesRoom) {
  StartOnSmallDisk({"--max-log-mib-per-job", "8"});
  if (!mounted_) GTEST_SKIP() << "no small file system: mounting one needs root";
  Begin();
  Fill(48);
  std::mt19937 random(7);
  std::string text(1000, ' ');
  uint64_t next = 1;
  int resends = 0;
  std::atomic<uint64_t> again = 0;
  std::atomic<bool> over = false;
  std::thread reads([&] {
    pb::CoordinatorMessage message;
    while (!over && agent_->Await(pb::CoordinatorMessage::kResendLogs, &message)) {
      again = message.resend_logs().from_seq();
    }
  });
  bool held = false;
  const absl::Time begin = absl::Now();
  const absl::Time end = begin + absl::Seconds(ChaosCount("FPO_CHAOS_CHATTY_SECONDS", 10));
  while (absl::Now() < end && resends < 2) {
    if (const uint64_t from = again.exchange(0); from != 0) {
      next = from;
      ++resends;
    }
    for (char& c : text) c = static_cast<char>('0' + random() % 75);
    ASSERT_TRUE(agent_->Logs(ref_, next, 50, text));
    next += 50;
    agent_->Heartbeat();
    Pause(absl::Milliseconds(2));
    held = held || Refuses("logs");
  }
  EXPECT_TRUE(held);
  EXPECT_GE(resends, 1);
  const auto free_mib = fs::space(disk_).available >> 20;
  std::string id;
  EXPECT_TRUE(Submit("later", "zombie=none", &id).ok());
  EXPECT_EQ(user_->Get(job_).attempts_size(), 1);
  std::cout << "chatty job: " << next / 1000
            << " MB of lines into 48 MiB with 8 MiB a job: stopped and "
            << "asked for again " << resends << " times in " << Words(absl::Now() - begin) << ", "
            << free_mib << " MiB free at the end" << std::endl;
  over = true;
  service_->Kill("coordinator");
  reads.join();
}

// Nothing that waits for the disk is answered meanwhile, and no worker is taken for lost.
TEST(StalledDiskChaos, CostsNoLease) {
  if (const std::string missing = Faults::Missing(); !missing.empty()) GTEST_SKIP() << missing;
  const int seconds = ChaosCount("FPO_CHAOS_STALL_SECONDS", 3);
  const bool by_default = seconds > 15;
  const std::string lease = by_default ? "15s" : "2s";
  LocalService service({.trainer = "fake",
                        .heartbeat = by_default ? "2s" : "200ms",
                        .lease = lease,
                        .reattach = lease});
  Faults faults(service.Path("coordinator.faults"));
  service.SetEnvironment("coordinator", faults.Environment());
  service.StartAll();
  service.StartWorker("w2");
  EXPECT_TRUE(faults.IsLoadedBy(service.Pid("coordinator")));
  const auto submit = [&](const std::string& name, const std::string& how) {
    return service.CtlProcess({"submit", service.WriteFakeJob(name, how), "-q"});
  };
  const std::string id =
      submit("job", "steps-100000000-10-1000").ReadLine(absl::Seconds(60)).value();
  const auto until = [&](const std::string& job, const std::string& state) {
    return service.Until(job, [&](const json& now) { return now.value("state", "") == state; });
  };
  ASSERT_TRUE(until(id, "RUNNING"));
  const int stalls = ChaosCount("FPO_CHAOS_STALLS", 1);
  absl::Duration longest;
  for (int i = 0; i < stalls; ++i) {
    faults.StallDisk(true);
    Process waits = submit(absl::StrCat("job-", i), "steps-1-1-1");
    Pause(absl::Seconds(seconds));
    EXPECT_EQ(waits.Wait(absl::ZeroDuration()), -1) << "acknowledged before it was durable";
    faults.StallDisk(false);
    const absl::Time free = absl::Now();
    const std::string next = waits.ReadLine(absl::Seconds(60)).value_or("");
    ASSERT_TRUE(until(next, "SUCCEEDED")) << "leases are judged meanwhile, and the other worker's";
    longest = std::max(longest, absl::Now() - free);
  }
  const json job = service.Describe(id);
  EXPECT_EQ(job["attempts"].size(), 1u) << job.dump();
  EXPECT_EQ(job.value("state", ""), "RUNNING");
  const std::string metrics = service.Http("coordinator", "/metrics");
  EXPECT_NE(metrics.find("fpo_lease_expirations_total{kind=\"worker\"} 0\n"), std::string::npos);
  std::cout << "stalled disk: " << stalls << " stalls of " << seconds << " s, lease " << lease
            << ", two workers: 0 leases expired, " << job["attempts"].size()
            << " attempt; a job that was submitted meanwhile ended at most " << Words(longest)
            << " after the stall" << std::endl;
  EXPECT_EQ(CheckTransitions(service.Log("coordinator")), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::testing
