#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/fpo/v1/coordinator.pb.h"
#include "server/core/coordinator.h"
#include "server/rpc/artifact_relay.h"
#include "server/rpc/stream_loop.h"

namespace fpo::coordinator {

// One ReadArtifact call: asks the agent, then writes what it pushes, one frame at a time. Ends when
// the agent said all, when it or the user went away, or when nothing moved for a while. Same life
// as a WatchStream.
class ArtifactStream final : public grpc::ServerWriteReactor<fpo::v1::ReadArtifactResponse>,
                             public OpenStream {
 public:
  struct Parts {  // outlive the stream
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
    ArtifactRelay* relay;
    std::function<absl::Status(const std::string& job)> may_read = {};  // asked on the pool
    absl::Duration silence = absl::Seconds(30);
  };
  ArtifactStream(const Parts& parts, grpc::CallbackServerContext* context,
                 const fpo::v1::ReadArtifactRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void End(const absl::Status& why) override;

 private:
  ~ArtifactStream() override = default;
  bool Step();
  absl::Status Open();
  void Watch();
  void Move();
  void FinishOnce(const absl::Status& status);

  const Parts parts_;
  grpc::CallbackServerContext* const context_;
  const fpo::v1::ReadArtifactRequest request_;
  StreamLoop loop_;
  grpc::Alarm alarm_;

  // Of the loop alone.
  bool opened_ = false;
  std::string id_;
  ArtifactRelay::Transfer transfer_;
  absl::Time moved_;
  absl::Time look_again_;
  bool writing_ = false;
  bool finished_ = false;
  fpo::v1::ReadArtifactResponse message_;

  absl::Mutex mu_;
  bool write_done_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
