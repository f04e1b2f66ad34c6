// Promise 6: an agent that was paused longer than its lease changes nothing afterwards. The agents
// are scripted, so that a thousand pauses take seconds; the coordinator is real.

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
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

// One worker's life: take a job, checkpoint, fall silent for longer than the lease, come back as if
// nothing had happened. Returns how many stale writes were believed.
class Zombie {
 public:
  Zombie(const std::string& address, std::string name)
      : user_(address),
        channel_(MakeChannel(address).value()),
        stub_(pb::WorkerControl::NewStub(channel_)),
        name_(std::move(name)) {}

  int Run(int pauses) {
    int believed = 0;
    for (int i = 0; i < pauses; ++i) believed += RunOne(absl::StrCat(name_, "-", i));
    return believed;
  }
  int refused() const { return refused_; }

 private:
  int RunOne(const std::string& job_name) {
    const std::string id = Submit(job_name);
    pb::AttemptRef ref;
    // It sends no heartbeats, so on a busy host its lease may run out before it is given the job.
    for (int tries = 0; !Begin(job_name, &ref); ++tries) {
      if (tries == 50) return Failed("no work");
    }
    AgentSession session(stub_.get(), name_, job_name, {ref});
    pb::CoordinatorMessage welcome;
    if (!session.Await(pb::CoordinatorMessage::kWelcome, &welcome)) return Failed("no welcome");
    if (welcome.welcome().adopt_size() > 0) {
      ADD_FAILURE() << "adopted: " << user_.Get(id).ShortDebugString();
      return 1;
    }
    session.Checkpoint(ref, 2, 20);
    session.Report(ref, pb::AttemptReport::STATUS_SUCCEEDED);
    session.Heartbeat();
    pb::CoordinatorMessage ack;  // everything above was handled
    if (!session.Await(pb::CoordinatorMessage::kBeatAck, &ack)) return Failed("no answer");
    const pb::Job job = user_.Get(id);
    // On a busy host even the first checkpoint may come after the lease: that is refused too.
    const bool believed = job.checkpoint_step() > 10 || job.state() == pb::JOB_STATE_SUCCEEDED;
    if (believed) ADD_FAILURE() << job.ShortDebugString();
    refused_ += !believed;
    Cancel(id);
    return believed;
  }

  // Takes the job, writes a checkpoint and falls silent until its lease has run out. False when it
  // was given nothing before.
  bool Begin(const std::string& job_name, pb::AttemptRef* ref) {
    AgentSession session(stub_.get(), name_, job_name, {});
    pb::CoordinatorMessage message;
    if (!session.Await(pb::CoordinatorMessage::kAssign, &message)) return false;
    *ref = message.assign().attempt();
    session.Report(*ref, pb::AttemptReport::STATUS_ACCEPTED);
    session.Report(*ref, pb::AttemptReport::STATUS_RUNNING);
    session.Checkpoint(*ref, 1, 10);
    session.Heartbeat();
    // The coordinator ends the session.
    session.Await(pb::CoordinatorMessage::KIND_NOT_SET, &message);
    return true;
  }

  std::string Submit(const std::string& name) {
    pb::SubmitRequest request;
    request.set_request_id(name);
    request.mutable_spec()->set_config_json(ChaosJob(name, "zombie=" + name_));
    request.mutable_spec()->set_owner(name_);
    pb::SubmitResponse response;
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    EXPECT_TRUE(user_.stub().Submit(&context, request, &response).ok());
    return response.job_id();
  }
  void Cancel(const std::string& id) {
    pb::CancelJobRequest request;
    request.set_job_id(id);
    request.set_now(true);
    pb::CancelJobResponse response;
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    (void)user_.stub().CancelJob(&context, request, &response);
  }
  int Failed(const char* what) {
    ADD_FAILURE() << name_ << ": " << what;
    return 0;
  }

  StubbornUser user_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::WorkerControl::Stub> stub_;
  const std::string name_;
  int refused_ = 0;
};

TEST(ZombieChaos, APauseLongerThanTheLeaseLeavesNoTrace) {
  constexpr int kZombies = 10;
  const int pauses = ChaosCount("FPO_CHAOS_PAUSES", 30) / kZombies;
  LocalService service({.heartbeat = "100ms", .lease = "500ms", .reattach = "500ms"});
  service.Start("coordinator");
  std::atomic<int> believed = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int z = 0; z < kZombies; ++z) {
    threads.emplace_back([&, z] {
      Zombie zombie(service.GrpcAddress("coordinator"), absl::StrCat("w", z));
      believed += zombie.Run(pauses);
      refused += zombie.refused();
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::cout << pauses * kZombies << " pauses, " << refused << " stale writes refused, " << believed
            << " believed" << std::endl;
  EXPECT_EQ(believed, 0);
  EXPECT_EQ(refused, pauses * kZombies);
  EXPECT_NE(service.Http("coordinator", "/metrics").find("kind=\"checkpoint\""), std::string::npos);
  StubbornUser user(service.GrpcAddress("coordinator"));
  EXPECT_EQ(CheckHistory(user.AllJobs()), std::vector<std::string>{});
  EXPECT_EQ(CheckTransitions(service.Log("coordinator")), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::testing
