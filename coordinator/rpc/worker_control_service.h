#pragma once

#include "common/rpc/security/access_control.h"
#include "coordinator/core/lines/audit_log.h"
#include "coordinator/rpc/streams/artifact_relay.h"
#include "coordinator/rpc/worker_session.h"
#include "proto/fpo/v1/worker.grpc.pb.h"

namespace fpo::coordinator {

// The agents' side of the coordinator: one long-lived stream per agent. Thread-safe.
class WorkerControlService final : public fpo::v1::WorkerControl::CallbackService {
 public:
  // Files are pushed on `file_pool`, apart from the sessions. `audit` learns of refused calls.
  WorkerControlService(const WorkerSession::Dependencies& dependencies, WorkPool* file_pool,
                       const AccessControl* access, AuditLog* audit)
      : dependencies_(dependencies), file_pool_(file_pool), access_(access), audit_(audit) {}

  grpc::ServerBidiReactor<fpo::v1::WorkerMessage, fpo::v1::CoordinatorMessage>* Session(
      grpc::CallbackServerContext* context) override;
  grpc::ServerReadReactor<fpo::v1::PushArtifactRequest>* PushArtifact(
      grpc::CallbackServerContext* context, fpo::v1::PushArtifactResponse* response) override;

 private:
  absl::StatusOr<Principal> Admit(grpc::CallbackServerContext* context, const char* method) const;

  const WorkerSession::Dependencies dependencies_;
  WorkPool* const file_pool_;
  const AccessControl* const access_;
  AuditLog* const audit_;  // null: a standby keeps none
};

}  // namespace fpo::coordinator
