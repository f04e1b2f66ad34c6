#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/grpc_status.h"
#include "proto/fpo/v1/worker.grpc.pb.h"

namespace fpo::testing {

// A coordinator whose sessions are played by the test's script. Thread-safe.
class FakeWorkerControl final : public fpo::v1::WorkerControl::Service {
 public:
  using Stream = grpc::ServerReaderWriter<fpo::v1::CoordinatorMessage, fpo::v1::WorkerMessage>;
  using Script = std::function<void(Stream*)>;

  // What the next session does; sessions without a script are refused.
  void Play(Script script, const grpc::Status& end = grpc::Status::OK) {
    absl::MutexLock lock(&mutex_);
    scripts_.emplace_back(std::move(script), end);
  }
  void Refuse(const absl::Status& status) {
    Play([](Stream*) {}, ToGrpcStatus(status));
  }
  grpc::Status Session(grpc::ServerContext*, Stream* stream) override {
    std::pair<Script, grpc::Status> script;
    {
      absl::MutexLock lock(&mutex_);
      if (scripts_.empty()) return {grpc::StatusCode::FAILED_PRECONDITION, "no script"};
      script = std::move(scripts_.front());
      scripts_.pop_front();
    }
    script.first(stream);
    return script.second;
  }

 private:
  absl::Mutex mutex_;
  std::deque<std::pair<Script, grpc::Status>> scripts_ ABSL_GUARDED_BY(mutex_);
};

inline void Welcome(FakeWorkerControl::Stream* stream, int lease_ms = 5000) {
  fpo::v1::CoordinatorMessage message;
  message.mutable_welcome()->set_beat_interval_ms(20);
  message.mutable_welcome()->set_lease_ms(lease_ms);
  stream->Write(message);
}

// Answers a heartbeat, and acknowledges lines as durable.
inline void Answer(FakeWorkerControl::Stream* stream, const fpo::v1::WorkerMessage& message) {
  fpo::v1::CoordinatorMessage answer;
  if (message.has_beat()) {
    answer.mutable_beat_ack()->set_seq(message.beat().seq());
  } else if (message.has_logs()) {
    *answer.mutable_ack()->mutable_attempt() = message.logs().attempt();
    answer.mutable_ack()->set_logs_seq(message.logs().first_seq() + message.logs().items_size() -
                                       1);
  } else if (message.has_events()) {
    *answer.mutable_ack()->mutable_attempt() = message.events().attempt();
    answer.mutable_ack()->set_events_seq(message.events().first_seq() +
                                         message.events().items_size() - 1);
  } else {
    return;
  }
  stream->Write(answer);
}

}  // namespace fpo::testing
