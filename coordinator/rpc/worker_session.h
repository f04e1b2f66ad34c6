#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/access_list.h"
#include "common/rpc/streams/open_streams.h"
#include "common/rpc/streams/stream_loop.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/rpc/streams/artifact_relay.h"
#include "proto/fpo/v1/worker.pb.h"

namespace fpo::coordinator {

// One agent's stream. Messages are handled one at a time: the next read starts when the last
// message is done, so a slow disk slows the agent down instead of filling our memory. Lifetime:
// Hello connects the worker; a broken stream, a Close or the agent's half-close disconnects it and
// finishes; OnDone wakes the last step, which deletes the session.
class WorkerSession final
    : public grpc::ServerBidiReactor<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>,
      public OpenStream {
 public:
  struct Dependencies {  // outlive the session
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
    ArtifactRelay* relay;
  };
  WorkerSession(const Dependencies& dependencies, Principal caller);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void End(const absl::Status& why) override;

 private:
  class Link;

  ~WorkerSession() override = default;
  bool Step();
  void Take(const fpo::v1::WorkerMessage& message);
  absl::Status Dispatch(const fpo::v1::WorkerMessage& message);
  absl::Status OnHello(const fpo::v1::Hello& hello);
  void FinishWhenIdle(const absl::Status& status);
  void Disconnect();
  void Queue(fpo::v1::CoordinatorMessage message);

  const Dependencies dependencies_;
  const Principal caller_;            // whose name the worker must have
  const std::shared_ptr<Link> link_;  // shared with the registry, which may outlive the stream
  StreamLoop loop_;

  // Used only by the loop.
  std::string worker_id_;  // empty before Hello
  bool writing_ = false;
  bool finished_ = false;
  fpo::v1::WorkerMessage incoming_;
  fpo::v1::CoordinatorMessage outgoing_;

  absl::Mutex mu_;
  std::deque<fpo::v1::CoordinatorMessage> queue_ ABSL_GUARDED_BY(mu_);
  bool read_done_ ABSL_GUARDED_BY(mu_) = false;
  bool write_done_ ABSL_GUARDED_BY(mu_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
