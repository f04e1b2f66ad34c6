#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "common/rpc/streams/answer_stream.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/rpc/streams/artifact_relay.h"
#include "proto/fpo/v1/coordinator.pb.h"

namespace fpo::coordinator {

// One ReadArtifact call: asks the agent, then writes what it pushes, one frame at a time. Ends when
// the agent is done, when it or the user is gone, or when nothing moved for a while.
class ArtifactStream final : public AnswerStream<fpo::v1::ReadArtifactResponse> {
 public:
  struct Dependencies {  // outlive the stream
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
    ArtifactRelay* relay;
    // The job that the user means, if it is theirs; asked on the pool.
    std::function<absl::StatusOr<JobPtr>(const std::string& job)> job_to_read = {};
    absl::Duration silence = absl::Seconds(30);
  };
  ArtifactStream(const Dependencies& dependencies, grpc::CallbackServerContext* context,
                 const fpo::v1::ReadArtifactRequest& request);

 private:
  ~ArtifactStream() override = default;
  absl::Status Open() override;
  void Look() override;
  void Next() override;
  void Leave() override;

  const Dependencies dependencies_;
  grpc::CallbackServerContext* const context_;
  const fpo::v1::ReadArtifactRequest request_;
  grpc::Alarm alarm_;

  // Used only by the loop.
  std::string id_;
  ArtifactRelay::Transfer transfer_;
  absl::Time moved_;
  absl::Time look_again_;
};

}  // namespace fpo::coordinator
