#pragma once

#include "common/rpc/work_pool.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"
#include "server/core/coordinator.h"
#include "server/rpc/stream_loop.h"

namespace fpo::coordinator {

// The users' side of the coordinator. Thread-safe.
class CoordinatorService final : public fpo::v1::Coordinator::CallbackService {
 public:
  struct Parts {  // outlive the service
    Coordinator* coordinator;
    WorkPool* pool;
    OpenStreams* streams;
    const Clock* wall;
  };
  explicit CoordinatorService(const Parts& parts) : parts_(parts) {}

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
  grpc::ServerUnaryReactor* Events(grpc::CallbackServerContext* context,
                                   const fpo::v1::EventsRequest* request,
                                   fpo::v1::EventsResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context,
                                        const fpo::v1::ListWorkersRequest* request,
                                        fpo::v1::ListWorkersResponse* response) override;

 private:
  const Parts parts_;
};

}  // namespace fpo::coordinator
