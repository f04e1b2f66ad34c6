#include "coordinator/rpc/user_call.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

std::string PeerOf(const grpc::CallbackServerContext& context) {
  const std::string peer = context.peer();
  return peer == "unknown" ? "the status page" : peer;  // without a socket: RpcServer's own channel
}

}  // namespace

absl::Status Explained(absl::Status status) {
  if (!absl::IsResourceExhausted(status) || ReasonOf(status) != ErrorReason::kUnspecified)
    return status;
  return WithErrorInfo(
      std::move(status),
      {.reason = ErrorReason::kStoreFull,
       .hint = "tell the coordinator's administrator; running jobs continue, and this works "
               "again once there is space"});
}

void Audit(const UserCall& call, const Principal* caller, const absl::Status& status,
           AuditEntry entry) {
  if (call.dependencies->audit == nullptr) return;  // a standby keeps none
  const bool refused = absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
  if (!call.changes && !refused) return;
  bool known = false;
  if (caller != nullptr && !caller->name.empty()) {
    known = true;
    entry.who = caller->name;
  }
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  if (info && info->reason == ErrorReason::kRole && !info->ids.empty()) {
    known = true;
    entry.who = info->ids.front();
  }
  if (entry.who.empty()) entry.who = PeerOf(*call.context);
  entry.method = call.method;
  entry.time = call.dependencies->wall->Now();
  entry.result = absl::StatusCodeToString(status.code());
  if (!status.ok()) entry.detail = std::string(status.message());
  if (refused) return call.dependencies->audit->AddRefused(std::move(entry), known);
  call.dependencies->audit->Add(std::move(entry));
}

absl::StatusOr<JobPtr> JobToChange(const CoordinatorService::Dependencies& dependencies,
                                   const Principal& caller, const std::string& job_ref) {
  FPO_ASSIGN_OR_RETURN(JobPtr job, dependencies.coordinator->GetJob(job_ref, caller.name));
  if (caller.role == Role::kAdmin || job->owner == caller.name) return job;
  return NotYours(caller, absl::StrCat("job ", job->job_id), job->owner);
}

}  // namespace fpo::coordinator
