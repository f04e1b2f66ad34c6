#include "coordinator/rpc/worker_control_service.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/rpc/streams/refused_call.h"
#include "coordinator/rpc/streams/artifact_push.h"

namespace fpo::coordinator {

absl::StatusOr<Principal> WorkerControlService::Admit(grpc::CallbackServerContext* context,
                                                      const char* method) const {
  absl::StatusOr<Principal> caller = access_->Admit(*context, Role::kWorker);
  if (caller.ok() || audit_ == nullptr) return caller;
  const std::optional<ErrorInfo> info = GetErrorInfo(caller.status());
  const bool known = info && info->reason == ErrorReason::kRole && !info->ids.empty();
  AuditEntry entry;
  entry.time = absl::Now();
  entry.who = known ? info->ids.front() : context->peer();
  entry.method = method;
  entry.result = absl::StatusCodeToString(caller.status().code());
  entry.detail = std::string(caller.status().message());
  audit_->AddRefused(std::move(entry), known);
  return caller;
}

grpc::ServerBidiReactor<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>*
WorkerControlService::Session(grpc::CallbackServerContext* context) {
  const absl::StatusOr<Principal> caller = Admit(context, "Session");
  if (!caller.ok()) {
    return new RefusedCall<
        grpc::ServerBidiReactor<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>>(
        caller.status());
  }
  return new WorkerSession(dependencies_, *caller);  // deletes itself in its last step
}

grpc::ServerReadReactor<fpo::v1::PushArtifactRequest>* WorkerControlService::PushArtifact(
    grpc::CallbackServerContext* context, fpo::v1::PushArtifactResponse*) {
  const absl::StatusOr<Principal> caller = Admit(context, "PushArtifact");
  if (!caller.ok()) {
    return new RefusedCall<grpc::ServerReadReactor<fpo::v1::PushArtifactRequest>>(caller.status());
  }
  return new ArtifactPush({file_pool_, dependencies_.streams, dependencies_.relay});  // as Session
}

}  // namespace fpo::coordinator
