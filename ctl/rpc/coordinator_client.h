#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/deadline.h"
#include "ctl/interrupt.h"
#include "ctl/rpc/retry_policy.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"

namespace fpo::ctl {

// Calls of the Coordinator service, each with a deadline; raising the interrupt cancels them
// (reason INTERRUPTED). Errors carry an ErrorInfo where there is something to do about them.
// Thread-safe.
class CoordinatorClient {
 public:
  // One of several coordinators, of which one leads: calls go to it, and find it again after a
  // change.
  struct Endpoint {
    std::string address;
    std::shared_ptr<grpc::Channel> channel;
  };
  // `interrupt` outlives the client.
  CoordinatorClient(std::shared_ptr<grpc::Channel> channel, std::string address,
                    Interrupt* interrupt)
      : CoordinatorClient(std::vector<Endpoint>{{std::move(address), std::move(channel)}},
                          interrupt) {}

  CoordinatorClient(std::vector<Endpoint> endpoints, Interrupt* interrupt);

  // Of the trace in which whoever uses this is, as W3C Trace Context has it.
  void SetTraceparent(std::string traceparent) { traceparent_ = std::move(traceparent); }
  // The same connection with another interrupt.
  CoordinatorClient With(Interrupt* interrupt) const;

  absl::StatusOr<fpo::v1::SubmitResponse> Submit(const fpo::v1::SubmitRequest& request);
  absl::StatusOr<fpo::v1::ValidateResponse> Validate(const fpo::v1::ValidateRequest& request);
  absl::StatusOr<fpo::v1::GetJobResponse> GetJob(const std::string& job_id);
  absl::StatusOr<fpo::v1::ListJobsResponse> ListJobs(const fpo::v1::ListJobsRequest& request);
  absl::StatusOr<fpo::v1::CancelJobResponse> CancelJob(const fpo::v1::CancelJobRequest& request);
  absl::StatusOr<fpo::v1::ListWorkersResponse> ListWorkers();
  absl::StatusOr<fpo::v1::ChangeJobResponse> HoldJob(const fpo::v1::ChangeJobRequest& request);
  absl::StatusOr<fpo::v1::ChangeJobResponse> ReleaseJob(const fpo::v1::ChangeJobRequest& request);
  absl::StatusOr<fpo::v1::ChangeJobResponse> PauseJob(const fpo::v1::ChangeJobRequest& request);
  absl::StatusOr<fpo::v1::ChangeJobResponse> ResumeJob(const fpo::v1::ChangeJobRequest& request);
  absl::StatusOr<fpo::v1::ChangeJobResponse> SetPriority(
      const fpo::v1::SetPriorityRequest& request);
  absl::StatusOr<fpo::v1::SubmitResponse> RetryJob(const fpo::v1::RetryJobRequest& request);
  absl::StatusOr<fpo::v1::ExplainJobResponse> ExplainJob(const fpo::v1::ExplainJobRequest& request);
  absl::StatusOr<fpo::v1::QueueResponse> Queue(const fpo::v1::QueueRequest& request);
  absl::StatusOr<fpo::v1::MetricsResponse> Metrics(const fpo::v1::MetricsRequest& request);
  absl::StatusOr<fpo::v1::ListCheckpointsResponse> ListCheckpoints(
      const fpo::v1::ListCheckpointsRequest& request);
  absl::StatusOr<fpo::v1::PinCheckpointResponse> PinCheckpoint(
      const fpo::v1::PinCheckpointRequest& request);
  absl::StatusOr<fpo::v1::GcCheckpointsResponse> GcCheckpoints(
      const fpo::v1::GcCheckpointsRequest& request);
  absl::StatusOr<fpo::v1::SetWorkerModeResponse> SetWorkerMode(
      const fpo::v1::SetWorkerModeRequest& request);
  absl::StatusOr<fpo::v1::ForgetWorkerResponse> ForgetWorker(
      const fpo::v1::ForgetWorkerRequest& request);

  absl::StatusOr<fpo::v1::BackupJobsResponse> BackupJobs();  // within hours
  absl::StatusOr<fpo::v1::ListAuditResponse> ListAudit(const fpo::v1::ListAuditRequest& request);

  // Block until the server ends the stream. They have no deadline: a dead connection is found by
  // keepalive.
  absl::Status WatchJob(const std::string& job_id,
                        const std::function<void(const fpo::v1::WatchJobResponse&)>& on_answer);
  absl::Status Logs(const fpo::v1::LogsRequest& request,
                    const std::function<void(const fpo::v1::LogsResponse&)>& on_answer);

  // Until the server ends the stream, or `take` fails, with its error.
  absl::Status ReadArtifact(
      const fpo::v1::ReadArtifactRequest& request,
      const std::function<absl::Status(const fpo::v1::ReadArtifactResponse&)>& take);

 private:
  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response* response,
                    absl::Duration deadline = kUnaryDeadline);
  template <typename Start, typename Response>
  absl::Status ReadStream(Start start, const std::function<void(const Response&)>& on_answer);

  struct Leader;

  std::shared_ptr<Leader> leader_;  // shared with copies: what one found out is true for all
  Interrupt* interrupt_;
  std::string traceparent_;  // sent with each call; empty: the caller is in no trace
  RetryPolicy retry_policy_;
};

}  // namespace fpo::ctl
