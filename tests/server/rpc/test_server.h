#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"
#include "proto/fpo/v1/worker.grpc.pb.h"
#include "server/rpc/coordinator_server.h"
#include "tests/server/core/fixtures.h"
#include "tests/server/core/temp_dir.h"

namespace fpo::coordinator {

namespace pb = fpo::v1;

// Until `condition` holds, at most 20 s.
inline bool Eventually(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  absl::Notification never;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    never.WaitForNotificationWithTimeout(absl::Milliseconds(10));
  }
  return true;
}

// A whole coordinator in this process on free ports.
class TestServer {
 public:
  TestServer() {
    config_.listen.listen = "127.0.0.1:0";
    config_.listen.http = "127.0.0.1:0";
    config_.data = dir_.path();
    config_.options.beat = absl::Milliseconds(100);
    config_.options.lease = absl::Seconds(10);
    config_.options.reattach = absl::Seconds(10);
    config_.grace = absl::Seconds(5);
  }
  CoordinatorConfig& config() { return config_; }
  void Start() {
    auto server = CoordinatorServer::Start(config_, "0.0.0", "test");
    ASSERT_OK_STATUS(server.status());
    server_ = *std::move(server);
    channel_ = MakeChannel(server_->grpc_address()).value();
    user_ = pb::Coordinator::NewStub(channel_);
    worker_ = pb::WorkerControl::NewStub(channel_);
  }
  void Stop() { server_.reset(); }
  CoordinatorServer& server() { return *server_; }
  pb::WorkerControl::Stub& worker() { return *worker_; }
  pb::Coordinator::Stub& user() { return *user_; }

  // Calls with a deadline.
  template <typename Request, typename Response, typename Method>
  absl::Status Call(Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(10));
    return FromGrpcStatus((user_.get()->*method)(&context, request, response));
  }
  std::string Submit(const std::string& name, const std::string& request_id = "") {
    pb::SubmitRequest request;
    request.set_request_id(request_id.empty() ? "r-" + name : request_id);
    request.mutable_spec()->set_config_json(ConfigJson(name));
    request.mutable_spec()->set_owner("ada");
    pb::SubmitResponse response;
    const absl::Status status = Call(&pb::Coordinator::Stub::Submit, request, &response);
    return status.ok() ? response.job_id() : std::string(status.ToString());
  }
  pb::Job Get(const std::string& id) {
    pb::GetJobRequest request;
    request.set_job_id(id);
    pb::GetJobResponse response;
    (void)Call(&pb::Coordinator::Stub::GetJob, request, &response);
    return response.job();
  }
  bool Reaches(const std::string& id, pb::JobState state) {
    return Eventually([&] { return Get(id).state() == state; });
  }

 private:
  static void ASSERT_OK_STATUS(const absl::Status& status) {
    if (!status.ok()) throw std::runtime_error(status.ToString());
  }

  TempDir dir_;
  CoordinatorConfig config_;
  std::unique_ptr<CoordinatorServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::Coordinator::Stub> user_;
  std::unique_ptr<pb::WorkerControl::Stub> worker_;
};

// An agent written out by hand: one session, blocking.
class ScriptedWorker {
 public:
  ScriptedWorker(pb::WorkerControl::Stub* stub, const WorkerHello& hello) {
    SetDeadline(&context_, absl::Seconds(60));
    stream_ = stub->Session(&context_);
    pb::WorkerMessage message;
    pb::Hello* proto = message.mutable_hello();
    proto->set_worker_id(hello.worker_id);
    proto->set_instance_id(hello.instance_id);
    proto->set_host(hello.host);
    proto->set_version(hello.version);
    proto->set_slots(hello.slots);
    proto->set_device(hello.device);
    for (const AttemptRef& ref : hello.running) {
      pb::AttemptRef* running = proto->add_running();
      running->set_job_id(ref.job_id);
      running->set_attempt(ref.attempt);
      running->set_epoch(ref.epoch);
    }
    stream_->Write(message);
  }
  ~ScriptedWorker() { Break(); }

  bool Send(const pb::WorkerMessage& message) { return stream_->Write(message); }
  bool Report(const pb::AttemptRef& ref, pb::AttemptReport::Status status,
              const std::string& end_class = "", const std::string& text = "") {
    pb::WorkerMessage message;
    *message.mutable_report()->mutable_attempt() = ref;
    message.mutable_report()->set_status(status);
    message.mutable_report()->set_end_class(end_class);
    message.mutable_report()->set_message(text);
    return Send(message);
  }
  bool Log(const pb::AttemptRef& ref, uint64_t first_seq, const std::vector<std::string>& texts) {
    pb::WorkerMessage message;
    *message.mutable_logs()->mutable_attempt() = ref;
    message.mutable_logs()->set_first_seq(first_seq);
    for (const std::string& text : texts) {
      pb::LogItem* item = message.mutable_logs()->add_items();
      item->set_stream("stdout");
      item->set_text(text);
    }
    return Send(message);
  }
  bool Event(const pb::AttemptRef& ref, uint64_t seq, const std::string& line) {
    pb::WorkerMessage message;
    *message.mutable_events()->mutable_attempt() = ref;
    message.mutable_events()->set_first_seq(seq);
    message.mutable_events()->add_items()->set_json(line);
    return Send(message);
  }
  // The next message of this kind; others before it are dropped. KIND_NOT_SET: the stream ended.
  pb::CoordinatorMessage Await(pb::CoordinatorMessage::KindCase kind) {
    pb::CoordinatorMessage message;
    while (stream_->Read(&message)) {
      if (message.kind_case() == kind) return message;
    }
    return {};
  }
  void Break() { context_.TryCancel(); }
  absl::Status Finish() {
    pb::CoordinatorMessage message;
    while (stream_->Read(&message)) {
    }
    return FromGrpcStatus(stream_->Finish());
  }
  absl::Status Leave() {
    stream_->WritesDone();
    return Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<pb::WorkerMessage, pb::CoordinatorMessage>> stream_;
};

}  // namespace fpo::coordinator
