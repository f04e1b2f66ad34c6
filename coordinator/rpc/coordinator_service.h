#pragma once

#include "common/rpc/security/access_control.h"
#include "common/rpc/streams/open_streams.h"
#include "common/rpc/work_pool.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/lines/audit_log.h"
#include "coordinator/rpc/backup_schedule.h"
#include "coordinator/rpc/streams/artifact_relay.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"

namespace fpo::coordinator {

struct UserCall;

// The users' side of the coordinator. Thread-safe.
class CoordinatorService final : public fpo::v1::Coordinator::CallbackService {
 public:
  struct Dependencies {  // outlive the service
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
    const Clock* wall;
    const AccessControl* access;
    ArtifactRelay* relay;
    AuditLog* audit;
    BackupSchedule* backups;
  };
  explicit CoordinatorService(const Dependencies& dependencies) : dependencies_(dependencies) {}

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const fpo::v1::SubmitRequest* request,
                                   fpo::v1::SubmitResponse* response) override;
  grpc::ServerUnaryReactor* Validate(grpc::CallbackServerContext* context,
                                     const fpo::v1::ValidateRequest* request,
                                     fpo::v1::ValidateResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const fpo::v1::GetJobRequest* request,
                                   fpo::v1::GetJobResponse* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const fpo::v1::ListJobsRequest* request,
                                     fpo::v1::ListJobsResponse* response) override;
  grpc::ServerWriteReactor<fpo::v1::WatchJobResponse>* WatchJob(
      grpc::CallbackServerContext* context, const fpo::v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const fpo::v1::CancelJobRequest* request,
                                      fpo::v1::CancelJobResponse* response) override;
  grpc::ServerWriteReactor<fpo::v1::LogsResponse>* Logs(
      grpc::CallbackServerContext* context, const fpo::v1::LogsRequest* request) override;
  grpc::ServerWriteReactor<fpo::v1::ReadArtifactResponse>* ReadArtifact(
      grpc::CallbackServerContext* context, const fpo::v1::ReadArtifactRequest* request) override;
  grpc::ServerUnaryReactor* Events(grpc::CallbackServerContext* context,
                                   const fpo::v1::EventsRequest* request,
                                   fpo::v1::EventsResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context,
                                        const fpo::v1::ListWorkersRequest* request,
                                        fpo::v1::ListWorkersResponse* response) override;
  grpc::ServerUnaryReactor* HoldJob(grpc::CallbackServerContext* context,
                                    const fpo::v1::ChangeJobRequest* request,
                                    fpo::v1::ChangeJobResponse* response) override;
  grpc::ServerUnaryReactor* ReleaseJob(grpc::CallbackServerContext* context,
                                       const fpo::v1::ChangeJobRequest* request,
                                       fpo::v1::ChangeJobResponse* response) override;
  grpc::ServerUnaryReactor* PauseJob(grpc::CallbackServerContext* context,
                                     const fpo::v1::ChangeJobRequest* request,
                                     fpo::v1::ChangeJobResponse* response) override;
  grpc::ServerUnaryReactor* ResumeJob(grpc::CallbackServerContext* context,
                                      const fpo::v1::ChangeJobRequest* request,
                                      fpo::v1::ChangeJobResponse* response) override;
  grpc::ServerUnaryReactor* SetPriority(grpc::CallbackServerContext* context,
                                        const fpo::v1::SetPriorityRequest* request,
                                        fpo::v1::ChangeJobResponse* response) override;
  grpc::ServerUnaryReactor* RetryJob(grpc::CallbackServerContext* context,
                                     const fpo::v1::RetryJobRequest* request,
                                     fpo::v1::SubmitResponse* response) override;
  grpc::ServerUnaryReactor* ExplainJob(grpc::CallbackServerContext* context,
                                       const fpo::v1::ExplainJobRequest* request,
                                       fpo::v1::ExplainJobResponse* response) override;
  grpc::ServerUnaryReactor* Queue(grpc::CallbackServerContext* context,
                                  const fpo::v1::QueueRequest* request,
                                  fpo::v1::QueueResponse* response) override;
  grpc::ServerUnaryReactor* Metrics(grpc::CallbackServerContext* context,
                                    const fpo::v1::MetricsRequest* request,
                                    fpo::v1::MetricsResponse* response) override;
  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const fpo::v1::ListCheckpointsRequest* request,
                                            fpo::v1::ListCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* PinCheckpoint(grpc::CallbackServerContext* context,
                                          const fpo::v1::PinCheckpointRequest* request,
                                          fpo::v1::PinCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* GcCheckpoints(grpc::CallbackServerContext* context,
                                          const fpo::v1::GcCheckpointsRequest* request,
                                          fpo::v1::GcCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* SetWorkerMode(grpc::CallbackServerContext* context,
                                          const fpo::v1::SetWorkerModeRequest* request,
                                          fpo::v1::SetWorkerModeResponse* response) override;
  grpc::ServerUnaryReactor* ForgetWorker(grpc::CallbackServerContext* context,
                                         const fpo::v1::ForgetWorkerRequest* request,
                                         fpo::v1::ForgetWorkerResponse* response) override;

  grpc::ServerUnaryReactor* ListAudit(grpc::CallbackServerContext* context,
                                      const fpo::v1::ListAuditRequest* request,
                                      fpo::v1::ListAuditResponse* response) override;
  grpc::ServerUnaryReactor* BackupJobs(grpc::CallbackServerContext* context,
                                       const fpo::v1::BackupJobsRequest* request,
                                       fpo::v1::BackupJobsResponse* response) override;

 private:
  grpc::ServerUnaryReactor* Change(const UserCall& call, const std::string& job,
                                   const JobEvent& event, fpo::v1::ChangeJobResponse* response);

  const Dependencies dependencies_;
};

}  // namespace fpo::coordinator
