#pragma once

#include <string>
#include <utility>

#include "common/rpc/unary_call.h"
#include "coordinator/core/lines/audit_entry.h"
#include "coordinator/rpc/coordinator_service.h"

// How CoordinatorService runs a unary call: permissions, thread, and audit.
namespace fpo::coordinator {

struct UserCall {
  grpc::CallbackServerContext* context;
  const CoordinatorService::Dependencies* dependencies;
  const char* method;
  Role least;            // callers below it are refused
  bool changes = false;  // always audited; other calls only when refused
};

// Adds the call's outcome to the audit if it belongs there. `entry` has what is known so far.
void Audit(const UserCall& call, const Principal* caller, const absl::Status& status,
           AuditEntry entry);

// The error with what a user can do about a store that takes no writes.
absl::Status Explained(absl::Status status);

// Answers on the pool with the result of `act` (absl::Status(const Principal&, AuditEntry*)), which
// may add to the audit entry. It may use request and response: they live until Finish.
template <typename Act>
grpc::ServerUnaryReactor* Answer(const UserCall& call, AuditEntry entry, Act act) {
  const UnaryCall unary{call.context, call.dependencies->access, call.dependencies->pool,
                        call.least, "the coordinator"};
  const auto run = [call, act, entry](const Principal& caller) mutable {
    const absl::Status status = Explained(act(caller, &entry));
    Audit(call, &caller, status, std::move(entry));
    return status;
  };
  return AnswerOnPool(
      unary, run, [&](const absl::Status& why) { Audit(call, nullptr, why, std::move(entry)); });
}

// The job that the caller means, for a call that changes it. PermissionDenied unless it belongs to
// the caller, or the caller is an admin.
absl::StatusOr<JobPtr> JobToChange(const CoordinatorService::Dependencies& dependencies,
                                   const Principal& caller, const std::string& job_ref);

}  // namespace fpo::coordinator
