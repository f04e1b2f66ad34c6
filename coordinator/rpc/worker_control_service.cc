#include "coordinator/rpc/worker_control_service.h"

#include "common/rpc/streams/refused_call.h"
#include "coordinator/rpc/streams/artifact_push.h"

namespace fpo::coordinator {

grpc::ServerBidiReactor<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>*
WorkerControlService::Session(grpc::CallbackServerContext* context) {
  const absl::StatusOr<Principal> caller = access_->Admit(*context, Role::kWorker);
  if (!caller.ok()) {
    return new RefusedCall<
        grpc::ServerBidiReactor<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>>(
        caller.status());
  }
  return new WorkerSession(dependencies_);  // deletes itself in its last step
}

grpc::ServerReadReactor<fpo::v1::PushArtifactRequest>* WorkerControlService::PushArtifact(
    grpc::CallbackServerContext* context, fpo::v1::PushArtifactResponse*) {
  const absl::StatusOr<Principal> caller = access_->Admit(*context, Role::kWorker);
  if (!caller.ok()) {
    return new RefusedCall<grpc::ServerReadReactor<fpo::v1::PushArtifactRequest>>(caller.status());
  }
  return new ArtifactPush({file_pool_, dependencies_.streams, dependencies_.relay});  // as Session
}

}  // namespace fpo::coordinator
