#include "server/rpc/coordinator_service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/error_info.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "server/core/submission.h"
#include "server/rpc/convert.h"
#include "server/rpc/log_stream.h"
#include "server/rpc/watch_stream.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

constexpr int32_t kEventsMax = 1000;

absl::Status Busy() {
  return WithErrorInfo(absl::ResourceExhaustedError("the coordinator has too many calls waiting"),
                       {.reason = "BUSY", .hint = "try again in a second"});
}

// Answers on the pool with what `call` (absl::Status()) returns. `call` may use request and
// response: they live until Finish.
template <typename Call>
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, WorkPool* pool, Call call) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::Status deadline = RequireDeadline(*context);
  if (!deadline.ok()) {
    reactor->Finish(ToGrpcStatus(deadline));
  } else if (!pool->TryRun([reactor, call] { reactor->Finish(ToGrpcStatus(call())); })) {
    reactor->Finish(ToGrpcStatus(Busy()));
  }
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* CoordinatorService::Submit(grpc::CallbackServerContext* context,
                                                     const pb::SubmitRequest* request,
                                                     pb::SubmitResponse* response) {
  return Answer(context, parts_.pool, [this, request, response]() -> absl::Status {
    const SubmitAsk ask{request->request_id(), request->spec().config_json(),
                        request->spec().owner()};
    FPO_ASSIGN_OR_RETURN(SubmitAnswer answer, parts_.coordinator->Submit(ask));
    response->set_job_id(answer.job->job_id);
    response->set_revision(answer.job->revision);
    for (std::string& warning : answer.warnings) response->add_warnings(std::move(warning));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::Validate(grpc::CallbackServerContext* context,
                                                       const pb::ValidateRequest* request,
                                                       pb::ValidateResponse* response) {
  return Answer(context, parts_.pool, [request, response]() -> absl::Status {
    const absl::StatusOr<Submission> submission = CheckSubmission(request->spec().config_json());
    if (submission.ok()) {
      for (const std::string& warning : submission->warnings) response->add_warnings(warning);
      return absl::OkStatus();
    }
    const std::string text(submission.status().message());
    for (absl::string_view problem : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
      response->add_problems(std::string(problem));
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::GetJob(grpc::CallbackServerContext* context,
                                                     const pb::GetJobRequest* request,
                                                     pb::GetJobResponse* response) {
  return Answer(context, parts_.pool, [this, request, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, parts_.coordinator->GetJob(request->job_id()));
    *response->mutable_job() = ToProto(*job);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::ListJobs(grpc::CallbackServerContext* context,
                                                       const pb::ListJobsRequest* request,
                                                       pb::ListJobsResponse* response) {
  return Answer(context, parts_.pool, [this, request, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobFilter filter, FromProto(*request));
    const JobPage page = parts_.coordinator->ListJobs(filter);
    for (const JobPtr& job : page.jobs) {
      pb::Job* listed = response->add_jobs();
      *listed = ToProto(*job);
      // A page of 500 configurations would not fit a message; GetJob shows them.
      listed->mutable_spec()->clear_config_json();
    }
    response->set_next_page_token(page.next_page_token);
    response->set_revision(parts_.coordinator->revision());
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<pb::WatchJobResponse>* CoordinatorService::WatchJob(
    grpc::CallbackServerContext*, const pb::WatchJobRequest* request) {
  // Deletes itself in its last step.
  return new WatchStream({parts_.coordinator, parts_.pool, parts_.streams}, request->job_id());
}

grpc::ServerUnaryReactor* CoordinatorService::CancelJob(grpc::CallbackServerContext* context,
                                                        const pb::CancelJobRequest* request,
                                                        pb::CancelJobResponse* response) {
  return Answer(context, parts_.pool, [this, request, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job,
                         parts_.coordinator->Cancel(request->job_id(), request->now()));
    *response->mutable_job() = ToProto(*job);
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<pb::LogsResponse>* CoordinatorService::Logs(
    grpc::CallbackServerContext*, const pb::LogsRequest* request) {
  // Deletes itself in its last step.
  return new LogStream({parts_.coordinator, parts_.pool, parts_.streams, parts_.wall}, *request);
}

grpc::ServerUnaryReactor* CoordinatorService::Events(grpc::CallbackServerContext* context,
                                                     const pb::EventsRequest* request,
                                                     pb::EventsResponse* response) {
  return Answer(context, parts_.pool, [this, request, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, parts_.coordinator->GetJob(request->job_id()));
    const int32_t limit =
        request->limit() <= 0 ? kEventsMax : std::min(request->limit(), kEventsMax);
    FPO_ASSIGN_OR_RETURN(const std::vector<EventLine> lines,
                         parts_.coordinator->ReadEvents(job->job_id, request->after(), limit));
    for (const EventLine& line : lines) *response->add_events() = ToProto(line);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::ListWorkers(grpc::CallbackServerContext* context,
                                                          const pb::ListWorkersRequest*,
                                                          pb::ListWorkersResponse* response) {
  return Answer(context, parts_.pool, [this, response]() -> absl::Status {
    for (const WorkerView& worker : parts_.coordinator->ListWorkers()) {
      *response->add_workers() = ToProto(worker);
    }
    return absl::OkStatus();
  });
}

}  // namespace fpo::coordinator
