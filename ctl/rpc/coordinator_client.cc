#include "ctl/rpc/coordinator_client.h"

#include <atomic>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "ctl/rpc/rpc_status.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr absl::Duration kBackupTime = absl::Hours(4);  // reads the whole store

CallSite SiteOf(const std::string& address, const Interrupt& interrupt) {
  return CoordinatorSite(address, interrupt.raised());
}

}  // namespace

// The endpoint that is taken for the leader.
struct CoordinatorClient::Leader {
  struct One {
    std::string address;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<pb::Coordinator::Stub> stub;
  };
  std::vector<One> all;
  std::atomic<size_t> current = 0;

  One& Get() { return all[current % all.size()]; }
  // After a call of `tried` that a leader would not have answered so: the next one.
  void Note(const grpc::Status& status, const One& tried) {
    if (all.size() == 1 || status.error_code() != grpc::StatusCode::UNAVAILABLE) return;
    size_t at = static_cast<size_t>(&tried - all.data());
    if (current.compare_exchange_strong(at, (at + 1) % all.size())) {
      grpc::experimental::ChannelResetConnectionBackoff(Get().channel.get());
    }
  }
};

CoordinatorClient::CoordinatorClient(std::vector<Endpoint> endpoints, Interrupt* interrupt)
    : leader_(std::make_shared<Leader>()),
      interrupt_(interrupt),
      // Of several, one answers within a change of leader.
      retry_policy_(
          endpoints.front().channel,
          endpoints.size() == 1 ? RetryPolicy::kWhileReplaced : RetryPolicy::kWhileElected,
          endpoints.size() > 1) {
  for (Endpoint& endpoint : endpoints) {
    leader_->all.push_back({std::move(endpoint.address), endpoint.channel,
                            pb::Coordinator::NewStub(endpoint.channel)});
  }
}

CoordinatorClient CoordinatorClient::With(Interrupt* interrupt) const {
  CoordinatorClient other = *this;
  other.interrupt_ = interrupt;
  return other;
}

template <typename Method, typename Request, typename Response>
absl::Status CoordinatorClient::Call(Method method, const Request& request, Response* response,
                                     absl::Duration deadline) {
  std::string address;
  const grpc::Status status = retry_policy_.Call(*interrupt_, [&] {
    grpc::ClientContext context;
    SetDeadline(&context, deadline);
    if (!traceparent_.empty()) context.AddMetadata("traceparent", traceparent_);
    Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
    Leader::One& leader = leader_->Get();
    address = leader.address;
    const grpc::Status called = (leader.stub.get()->*method)(&context, request, response);
    leader_->Note(called, leader);
    return called;
  });
  return CallError(status, SiteOf(address, *interrupt_));
}

template <typename Start, typename Response>
absl::Status CoordinatorClient::ReadStream(Start start,
                                           const std::function<void(const Response&)>& on_answer) {
  ReconnectPolicy policy(RetryPolicy::kWhileElected);
  policy.Answered();
  for (;;) {
    grpc::ClientContext context;
    Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
    Leader::One& leader = leader_->Get();
    const auto reader = start(leader.stub.get(), &context);
    Response answer;
    bool was_answered = false;
    while (reader->Read(&answer)) {
      was_answered = true;
      on_answer(answer);
    }
    const grpc::Status status = reader->Finish();
    leader_->Note(status, leader);
    // The caller knows how to go on after an answer; before one, another coordinator may lead.
    const bool again = !was_answered && leader_->all.size() > 1 &&
                       status.error_code() == grpc::StatusCode::UNAVAILABLE;
    const std::optional<absl::Duration> wait = again ? policy.NextWait(BootNow()) : std::nullopt;
    if (!wait || interrupt_->WaitFor(*wait)) {
      return CallError(status, SiteOf(leader.address, *interrupt_));
    }
  }
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

absl::StatusOr<pb::BackupJobsResponse> CoordinatorClient::BackupJobs() {
  pb::BackupJobsResponse response;
  FPO_RETURN_IF_ERROR(
      Call(&pb::Coordinator::Stub::BackupJobs, pb::BackupJobsRequest(), &response, kBackupTime));
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
  return ReadStream([&](pb::Coordinator::Stub* stub,
                        grpc::ClientContext* context) { return stub->WatchJob(context, request); },
                    on_answer);
}

absl::Status CoordinatorClient::Logs(
    const pb::LogsRequest& request, const std::function<void(const pb::LogsResponse&)>& on_answer) {
  return ReadStream([&](pb::Coordinator::Stub* stub,
                        grpc::ClientContext* context) { return stub->Logs(context, request); },
                    on_answer);
}

absl::Status CoordinatorClient::ReadArtifact(
    const pb::ReadArtifactRequest& request,
    const std::function<absl::Status(const pb::ReadArtifactResponse&)>& take) {
  grpc::ClientContext context;
  Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
  Leader::One& leader = leader_->Get();
  const auto reader = leader.stub->ReadArtifact(&context, request);
  absl::Status taken;
  for (pb::ReadArtifactResponse answer; taken.ok() && reader->Read(&answer);) taken = take(answer);
  if (!taken.ok()) context.TryCancel();
  const grpc::Status end = reader->Finish();
  leader_->Note(end, leader);
  return taken.ok() ? CallError(end, SiteOf(leader.address, *interrupt_)) : taken;
}

}  // namespace fpo::ctl
