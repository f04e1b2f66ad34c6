#pragma once

#include <grpcpp/support/server_callback.h>

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/streams/open_streams.h"
#include "common/rpc/streams/stream_loop.h"
#include "coordinator/rpc/streams/artifact_relay.h"
#include "proto/fpo/v1/worker.pb.h"

namespace fpo::coordinator {

// One PushArtifact call: hands each message to the user's side of its transfer and reads the next
// once it was taken. Lifetime as of an AnswerStream.
class ArtifactPush final : public grpc::ServerReadReactor<fpo::v1::PushArtifactRequest>,
                           public OpenStream {
 public:
  struct Dependencies {  // outlive the stream
    WorkPool* pool;
    OpenStreams* streams;
    ArtifactRelay* relay;
  };
  explicit ArtifactPush(const Dependencies& dependencies);

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void End(const absl::Status& why) override;

 private:
  ~ArtifactPush() override = default;
  bool Step();
  absl::Status Take();
  void Deliver();
  void FinishOnce(const absl::Status& status);

  const Dependencies dependencies_;
  StreamLoop loop_;

  // Used only by the loop.
  ArtifactRelay::Transfer transfer_;
  std::optional<fpo::v1::ReadArtifactResponse> frame_;  // waits for its turn
  bool complete_ = false;  // the list, or the end of the file, has arrived
  bool finished_ = false;
  fpo::v1::PushArtifactRequest incoming_;

  absl::Mutex mu_;
  bool read_done_ ABSL_GUARDED_BY(mu_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
