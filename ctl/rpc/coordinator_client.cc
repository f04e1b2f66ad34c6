#include "ctl/rpc/coordinator_client.h"

#include <utility>

#include "common/rpc/deadline.h"
#include "common/status_macros.h"
#include "ctl/rpc/rpc_status.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

CallSite SiteOf(const std::string& address, const Interrupt& interrupt) {
  return CoordinatorSite(address, interrupt.raised());
}

}  // namespace

CoordinatorClient::CoordinatorClient(std::shared_ptr<grpc::Channel> channel, std::string address,
                                     Interrupt* interrupt)
    : channel_(std::move(channel)),
      address_(std::move(address)),
      interrupt_(interrupt),
      retry_policy_(channel_),
      stub_(pb::Coordinator::NewStub(channel_)) {}

CoordinatorClient CoordinatorClient::With(Interrupt* interrupt) const {
  CoordinatorClient other(channel_, address_, interrupt);
  other.retry_policy_ = retry_policy_;
  return other;
}

template <typename Method, typename Request, typename Response>
absl::Status CoordinatorClient::Call(Method method, const Request& request, Response* response) {
  const grpc::Status status = retry_policy_.Call(*interrupt_, [&] {
    grpc::ClientContext context;
    SetDeadline(&context, kUnaryDeadline);
    Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
    return (stub_.get()->*method)(&context, request, response);
  });
  return CallError(status, SiteOf(address_, *interrupt_));
}

template <typename Start, typename Response>
absl::Status CoordinatorClient::ReadStream(Start start,
                                           const std::function<void(const Response&)>& on_answer) {
  grpc::ClientContext context;
  Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
  const auto reader = start(&context);
  Response answer;
  while (reader->Read(&answer)) on_answer(answer);
  return CallError(reader->Finish(), SiteOf(address_, *interrupt_));
}

absl::StatusOr<pb::SubmitResponse> CoordinatorClient::Submit(const pb::SubmitRequest& request) {
  pb::SubmitResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::Submit, request, &response));
  return response;
}

absl::StatusOr<pb::ValidateResponse> CoordinatorClient::Validate(
    const pb::ValidateRequest& request) {
  pb::ValidateResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::Validate, request, &response));
  return response;
}

absl::StatusOr<pb::GetJobResponse> CoordinatorClient::GetJob(const std::string& job_id) {
  pb::GetJobRequest request;
  request.set_job_id(job_id);
  pb::GetJobResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::GetJob, request, &response));
  return response;
}

absl::StatusOr<pb::ListJobsResponse> CoordinatorClient::ListJobs(
    const pb::ListJobsRequest& request) {
  pb::ListJobsResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::ListJobs, request, &response));
  return response;
}

absl::StatusOr<pb::CancelJobResponse> CoordinatorClient::CancelJob(
    const pb::CancelJobRequest& request) {
  pb::CancelJobResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::CancelJob, request, &response));
  return response;
}

absl::StatusOr<pb::ListAuditResponse> CoordinatorClient::ListAudit(
    const pb::ListAuditRequest& request) {
  pb::ListAuditResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::ListAudit, request, &response));
  return response;
}

absl::StatusOr<pb::ListWorkersResponse> CoordinatorClient::ListWorkers() {
  pb::ListWorkersResponse response;
  FPO_RETURN_IF_ERROR(
      Call(&pb::Coordinator::Stub::ListWorkers, pb::ListWorkersRequest(), &response));
  return response;
}

absl::StatusOr<pb::ChangeJobResponse> CoordinatorClient::HoldJob(
    const pb::ChangeJobRequest& request) {
  pb::ChangeJobResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::HoldJob, request, &response));
  return response;
}

absl::StatusOr<pb::ChangeJobResponse> CoordinatorClient::ReleaseJob(
    const pb::ChangeJobRequest& request) {
  pb::ChangeJobResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::ReleaseJob, request, &response));
  return response;
}

absl::StatusOr<pb::ChangeJobResponse> CoordinatorClient::PauseJob(
    const pb::ChangeJobRequest& request) {
  pb::ChangeJobResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::PauseJob, request, &response));
  return response;
}

absl::StatusOr<pb::ChangeJobResponse> CoordinatorClient::ResumeJob(
    const pb::ChangeJobRequest& request) {
  pb::ChangeJobResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::ResumeJob, request, &response));
  return response;
}

absl::StatusOr<pb::ChangeJobResponse> CoordinatorClient::SetPriority(
    const pb::SetPriorityRequest& request) {
  pb::ChangeJobResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::SetPriority, request, &response));
  return response;
}

absl::StatusOr<pb::SubmitResponse> CoordinatorClient::RetryJob(const pb::RetryJobRequest& request) {
  pb::SubmitResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::RetryJob, request, &response));
  return response;
}

absl::StatusOr<pb::ExplainJobResponse> CoordinatorClient::ExplainJob(
    const pb::ExplainJobRequest& request) {
  pb::ExplainJobResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::ExplainJob, request, &response));
  return response;
}

absl::StatusOr<pb::QueueResponse> CoordinatorClient::Queue(const pb::QueueRequest& request) {
  pb::QueueResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::Queue, request, &response));
  return response;
}

absl::StatusOr<pb::MetricsResponse> CoordinatorClient::Metrics(const pb::MetricsRequest& request) {
  pb::MetricsResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::Metrics, request, &response));
  return response;
}

absl::StatusOr<pb::ListCheckpointsResponse> CoordinatorClient::ListCheckpoints(
    const pb::ListCheckpointsRequest& request) {
  pb::ListCheckpointsResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::ListCheckpoints, request, &response));
  return response;
}

absl::StatusOr<pb::PinCheckpointResponse> CoordinatorClient::PinCheckpoint(
    const pb::PinCheckpointRequest& request) {
  pb::PinCheckpointResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::PinCheckpoint, request, &response));
  return response;
}

absl::StatusOr<pb::GcCheckpointsResponse> CoordinatorClient::GcCheckpoints(
    const pb::GcCheckpointsRequest& request) {
  pb::GcCheckpointsResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::GcCheckpoints, request, &response));
  return response;
}

absl::StatusOr<pb::SetWorkerModeResponse> CoordinatorClient::SetWorkerMode(
    const pb::SetWorkerModeRequest& request) {
  pb::SetWorkerModeResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::SetWorkerMode, request, &response));
  return response;
}

absl::StatusOr<pb::ForgetWorkerResponse> CoordinatorClient::ForgetWorker(
    const pb::ForgetWorkerRequest& request) {
  pb::ForgetWorkerResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::Coordinator::Stub::ForgetWorker, request, &response));
  return response;
}

absl::Status CoordinatorClient::WatchJob(
    const std::string& job_id, const std::function<void(const pb::WatchJobResponse&)>& on_answer) {
  pb::WatchJobRequest request;
  request.set_job_id(job_id);
  return ReadStream([&](grpc::ClientContext* context) { return stub_->WatchJob(context, request); },
                    on_answer);
}

absl::Status CoordinatorClient::Logs(
    const pb::LogsRequest& request, const std::function<void(const pb::LogsResponse&)>& on_answer) {
  return ReadStream([&](grpc::ClientContext* context) { return stub_->Logs(context, request); },
                    on_answer);
}

absl::Status CoordinatorClient::ReadArtifact(
    const pb::ReadArtifactRequest& request,
    const std::function<absl::Status(const pb::ReadArtifactResponse&)>& take) {
  grpc::ClientContext context;
  Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
  const auto reader = stub_->ReadArtifact(&context, request);
  absl::Status taken;
  for (pb::ReadArtifactResponse answer; taken.ok() && reader->Read(&answer);) taken = take(answer);
  if (!taken.ok()) context.TryCancel();
  const grpc::Status end = reader->Finish();
  return taken.ok() ? CallError(end, SiteOf(address_, *interrupt_)) : taken;
}

}  // namespace fpo::ctl
