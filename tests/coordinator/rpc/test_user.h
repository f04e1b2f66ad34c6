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
#include "common/wire/worker_wire.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"
#include "proto/fpo/v1/worker.grpc.pb.h"
#include "tests/coordinator/core/fixtures.h"

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

// A user of a coordinator: blocking calls with a deadline.
class TestUser {
 public:
  explicit TestUser(const std::string& address, const std::string& token = "")
      : channel_(MakeChannel(address, {.token = token}).value()),
        user_(pb::Coordinator::NewStub(channel_)),
        worker_(pb::WorkerControl::NewStub(channel_)) {}

  pb::WorkerControl::Stub& worker() { return *worker_; }
  pb::Coordinator::Stub& stub() { return *user_; }

  template <typename Request, typename Response, typename Method>
  absl::Status Call(Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(10));
    return FromGrpcStatus((user_.get()->*method)(&context, request, response));
  }
  absl::StatusOr<std::string> TrySubmit(const std::string& name, const std::string& request_id) {
    pb::SubmitRequest request;
    request.set_request_id(request_id);
    request.mutable_spec()->set_config_json(ConfigJson(name));
    request.mutable_spec()->set_owner("ada");
    pb::SubmitResponse response;
    const absl::Status status = Call(&pb::Coordinator::Stub::Submit, request, &response);
    if (!status.ok()) return status;
    return response.job_id();
  }
  // The job's id, or the error's text.
  std::string Submit(const std::string& name, const std::string& request_id = "") {
    const auto id = TrySubmit(name, request_id.empty() ? "r-" + name : request_id);
    return id.ok() ? *id : std::string(id.status().ToString());
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
    *message.mutable_hello() = ToProto(hello);
    stream_->Write(message);
  }
  ~ScriptedWorker() { Break(); }

  bool Send(const pb::WorkerMessage& message) { return stream_->Write(message); }
  bool Report(const pb::AttemptRef& ref, pb::AttemptReport::Status status,
              pb::EndClass end_class = pb::END_CLASS_UNSPECIFIED, const std::string& text = "") {
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
      item->set_stream(pb::LINE_STREAM_STDOUT);
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
