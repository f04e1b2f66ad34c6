// Promise 6: an agent that was paused longer than its lease changes nothing afterwards. The agents
// are scripted, so that a thousand pauses take seconds; the coordinator is real.

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/train_protocol.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/worker.grpc.pb.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

namespace pb = fpo::v1;

// One session of an agent, from Hello to its end.
class AgentSession {
 public:
  AgentSession(pb::WorkerControl::Stub* stub, const std::string& name, const std::string& instance,
               const std::vector<pb::AttemptRef>& running) {
    SetDeadline(&context_, absl::Minutes(2));
    stream_ = stub->Session(&context_);
    pb::WorkerMessage message;
    pb::Hello& hello = *message.mutable_hello();
    hello.set_worker_id(name);
    hello.set_instance_id(instance);
    hello.set_host("h");
    hello.set_slots(1);
    hello.set_device("cpu");
    (*hello.mutable_labels())["zombie"] = name;  // only this worker may take its jobs
    for (const pb::AttemptRef& ref : running) *hello.add_running() = ref;
    stream_->Write(message);
  }
  ~AgentSession() {
    context_.TryCancel();
    pb::CoordinatorMessage message;
    while (stream_->Read(&message)) {
    }
    stream_->Finish();
  }

  void Beat() {
    pb::WorkerMessage message;
    message.mutable_beat()->set_seq(++beats_);
    stream_->Write(message);
  }
  void Report(const pb::AttemptRef& ref, pb::AttemptReport::Status status) {
    pb::WorkerMessage message;
    *message.mutable_report()->mutable_attempt() = ref;
    message.mutable_report()->set_status(status);
    message.mutable_report()->set_end_class("program");
    stream_->Write(message);
  }
  void Checkpoint(const pb::AttemptRef& ref, uint64_t seq, int64_t step) {
    TrainEvent event;
    event.kind = "checkpoint";
    event.seq = seq;
    event.step = step;
    event.file = absl::StrCat("/out/checkpoints/step-", step);
    pb::WorkerMessage message;
    *message.mutable_events()->mutable_attempt() = ref;
    message.mutable_events()->set_first_seq(seq);
    message.mutable_events()->add_items()->set_json(EncodeEvent(event));
    stream_->Write(message);
  }
  // The next message of a kind; false when the session ended before.
  bool Await(pb::CoordinatorMessage::KindCase kind, pb::CoordinatorMessage* message) {
    while (stream_->Read(message)) {
      if (message->kind_case() == kind) return true;
    }
    return false;
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<pb::WorkerMessage, pb::CoordinatorMessage>> stream_;
  uint64_t beats_ = 0;
};

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
    {
      AgentSession session(stub_.get(), name_, job_name, {});
      pb::CoordinatorMessage message;
      if (!session.Await(pb::CoordinatorMessage::kAssign, &message)) return Failed("no work");
      ref = message.assign().attempt();
      session.Report(ref, pb::AttemptReport::ACCEPTED);
      session.Report(ref, pb::AttemptReport::RUNNING);
      session.Checkpoint(ref, 1, 10);
      session.Beat();
      // Silence: the coordinator ends the session when the lease has run out.
      session.Await(pb::CoordinatorMessage::KIND_NOT_SET, &message);
    }
    AgentSession session(stub_.get(), name_, job_name, {ref});
    pb::CoordinatorMessage welcome;
    if (!session.Await(pb::CoordinatorMessage::kWelcome, &welcome)) return Failed("no welcome");
    if (welcome.welcome().adopt_size() > 0) return 1;
    session.Checkpoint(ref, 2, 20);
    session.Report(ref, pb::AttemptReport::SUCCEEDED);
    session.Beat();
    pb::CoordinatorMessage ack;  // everything above was handled
    if (!session.Await(pb::CoordinatorMessage::kBeatAck, &ack)) return Failed("no answer");
    const pb::Job job = user_.Get(id);
    const bool believed = job.checkpoint_step() != 10 || job.state() == pb::SUCCEEDED;
    refused_ += !believed;
    Cancel(id);
    return believed;
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
  const int pauses = ChaosCount("FPO_CHAOS_PAUSES", 60) / kZombies;
  LocalService service({.beat = "100ms", .lease = "500ms", .reattach = "500ms"});
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
}

}  // namespace
}  // namespace fpo::testing
