#pragma once

#include <string>
#include <utility>

#include "common/error_info.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "coordinator/core/lines/audit_entry.h"
#include "coordinator/rpc/coordinator_service.h"

// How CoordinatorService runs a unary call: who may, on which thread, and what the audit says.
namespace fpo::coordinator {

struct UserCall {
  grpc::CallbackServerContext* context;
  const CoordinatorService::Parts* parts;
  const char* method;
  Role least;            // callers below it are refused
  bool changes = false;  // always audited; other calls only when refused
};

// Adds what became of the call to the audit if it belongs there. `entry` has what is known of it.
void Audit(const UserCall& call, const Principal* caller, const absl::Status& status,
           AuditEntry entry);

absl::Status TooBusy();
// The error with what a user can do about a store that takes no writes.
absl::Status Explained(absl::Status status);

// Answers on the pool with what `act` (absl::Status(const Principal&, AuditEntry*)) returns; it may
// say more for the audit. It may use request and response: they live until Finish.
template <typename Act>
grpc::ServerUnaryReactor* Answer(const UserCall& call, AuditEntry entry, Act act) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  absl::StatusOr<Principal> caller = call.parts->access->Admit(*call.context, call.least);
  absl::Status refused = caller.ok() ? RequireDeadline(*call.context) : caller.status();
  if (refused.ok()) {
    const auto run = [reactor, call, act, entry, caller = *std::move(caller)]() mutable {
      const absl::Status status = Explained(act(caller, &entry));
      Audit(call, &caller, status, std::move(entry));
      reactor->Finish(ToGrpcStatus(status));
    };
    if (call.parts->pool->TryRun(run)) return reactor;
    refused = TooBusy();
  }
  Audit(call, nullptr, refused, std::move(entry));
  reactor->Finish(ToGrpcStatus(refused));
  return reactor;
}

// PermissionDenied unless the job is the caller's own, or the caller an admin.
absl::Status MayChange(const CoordinatorService::Parts& parts, const Principal& caller,
                       const std::string& words);

}  // namespace fpo::coordinator
