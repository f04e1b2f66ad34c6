#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/values/worker_hello.h"
#include "proto/fpo/v1/worker.grpc.pb.h"
#include "worker/core/artifact.h"
#include "worker/core/coordinator_link.h"
#include "worker/core/host/known_store.h"

namespace fpo::worker {

// One Session stream from Hello to its end. Three threads: the caller's reads, one sends
// heartbeats, one sends the rest. A message being written delays a heartbeat by at most one batch
// of 64 KiB.
class CoordinatorSession {
 public:
  struct Options {
    WorkerHello hello;  // without running attempts
    KnownStore* store;  // not owned
    absl::Duration welcome_time;
    std::function<void(const ServeArtifactCommand&)> on_serve;  // returns at once
  };

  CoordinatorSession(fpo::v1::WorkerControl::Stub* stub, CoordinatorListener* listener,
                     Options options)
      : stub_(stub), listener_(listener), options_(std::move(options)) {}

  // Blocks until the stream ends; the status says why. `on_welcome` is called once established.
  absl::Status Run(std::stop_token stop, const std::function<void()>& on_welcome);

 private:
  using Stream = grpc::ClientReaderWriter<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>;

  // Unanswered heartbeats are few; the time of the newest answered one renews the lease.
  struct Heartbeats {
    uint64_t sent = 0;
    uint64_t answered = 0;
    std::map<uint64_t, absl::Time> sent_at;
  };

  bool Write(const fpo::v1::WorkerMessage& message);
  // False when it is not this agent's coordinator.
  bool Welcome(const WelcomeCommand& welcome, const std::function<void()>& on_welcome);
  void Take(const WorkerCommand& command);
  void TakeHeartbeatAck(const HeartbeatAckCommand& ack);
  void Heartbeat();
  void Send();
  bool IsSilent(absl::Time now);
  void End(const absl::Status& why);
  void SaveStore();

  fpo::v1::WorkerControl::Stub* const stub_;
  CoordinatorListener* const listener_;
  const Options options_;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  std::stop_source over_;  // ends the heartbeat and send threads
  std::thread heartbeat_thread_;
  std::thread send_thread_;

  absl::Mutex write_mutex_;  // one write at a time

  absl::Mutex mutex_;
  bool welcomed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time begun_ ABSL_GUARDED_BY(mutex_);
  absl::Duration heartbeat_interval_ ABSL_GUARDED_BY(mutex_);
  absl::Duration lease_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_answered_ ABSL_GUARDED_BY(mutex_);
  Heartbeats heartbeats_ ABSL_GUARDED_BY(mutex_);
  absl::Status why_ ABSL_GUARDED_BY(mutex_);  // of an end by us
};

}  // namespace fpo::worker
