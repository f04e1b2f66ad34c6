#include "server/rpc/coordinator_service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error_info.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/refused_call.h"
#include "common/status_macros.h"
#include "server/core/submission.h"
#include "server/rpc/artifact_stream.h"
#include "server/rpc/convert.h"
#include "server/rpc/log_stream.h"
#include "server/rpc/watch_stream.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

using Caller = const Principal&;

constexpr int32_t kEventsMax = 1000;
constexpr size_t kQueueMax = 500;  // waiting jobs shown
constexpr size_t kPointsMax = 2000;

absl::Status Busy() {
  return WithErrorInfo(absl::ResourceExhaustedError("the coordinator has too many calls waiting"),
                       {.reason = "BUSY", .hint = "try again in a second"});
}

// Answers on the pool with what `call` (absl::Status(const Principal&)) returns. Callers whose role
// is below `least` are refused. `call` may use request and
// response: they live until Finish.
template <typename Call>
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                 const CoordinatorService::Parts& parts, Role least, Call call) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::StatusOr<Principal> caller = parts.access->Admit(*context, least);
  absl::Status refused = caller.ok() ? RequireDeadline(*context) : caller.status();
  if (refused.ok()) {
    const bool queued = parts.pool->TryRun([reactor, call, caller = *std::move(caller)] {
      reactor->Finish(ToGrpcStatus(call(caller)));
    });
    if (queued) return reactor;
    refused = Busy();
  }
  reactor->Finish(ToGrpcStatus(refused));
  return reactor;
}

// PermissionDenied unless the job is the caller's own, or the caller an admin.
absl::Status MayChange(const CoordinatorService::Parts& parts, const Principal& caller,
                       const std::string& words) {
  if (caller.role == Role::kAdmin) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(const JobPtr job, parts.coordinator->GetJob(words));
  if (job->owner == caller.name) return absl::OkStatus();
  return NotYours(caller, absl::StrCat("job ", job->job_id), job->owner);
}

// Jobs belong to who is known to have sent them; without a list of callers, to who says so.
std::string OwnerOf(const Principal& caller, const std::string& said) {
  return caller.name.empty() ? said : caller.name;
}

void Fill(const SubmitAnswer& answer, pb::SubmitResponse* response) {
  response->set_job_id(answer.job->job_id);
  response->set_revision(answer.job->revision);
  for (const std::string& warning : answer.warnings) response->add_warnings(warning);
  response->set_records(answer.records);
}

absl::Status CheckPriority(int64_t priority) {
  if (priority >= 0 && priority <= 1000) return absl::OkStatus();
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrCat(
                           "priority ", priority, " is out of range; allowed: from 0 to 1000")),
                       {.reason = "BAD_PRIORITY", .field = "priority"});
}

}  // namespace

grpc::ServerUnaryReactor* CoordinatorService::Submit(grpc::CallbackServerContext* context,
                                                     const pb::SubmitRequest* request,
                                                     pb::SubmitResponse* response) {
  const auto act = [this, request, response](Caller who) -> absl::Status {
    SubmitAsk ask = FromProto(*request);
    ask.owner = OwnerOf(who, ask.owner);
    FPO_ASSIGN_OR_RETURN(const SubmitAnswer answer, parts_.coordinator->Submit(ask));
    Fill(answer, response);
    return absl::OkStatus();
  };
  return Answer(context, parts_, Role::kUser, act);
}

grpc::ServerUnaryReactor* CoordinatorService::Validate(grpc::CallbackServerContext* context,
                                                       const pb::ValidateRequest* request,
                                                       pb::ValidateResponse* response) {
  const auto act = [this, request, response](Caller who) -> absl::Status {
    SubmitAsk ask{"", request->spec().config_json(), OwnerOf(who, request->spec().owner())};
    ask.after_ok.assign(request->after_ok().begin(), request->after_ok().end());
    const absl::StatusOr<Preview> preview = parts_.coordinator->Validate(ask);
    if (preview.ok()) {
      Fill(*preview, response);
      return absl::OkStatus();
    }
    if (ErrorReason(preview.status()) != "INVALID_JOB") return preview.status();
    const std::string text(preview.status().message());
    for (absl::string_view problem : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
      response->add_problems(std::string(problem));
    }
    return absl::OkStatus();
  };
  return Answer(context, parts_, Role::kUser, act);
}

grpc::ServerUnaryReactor* CoordinatorService::GetJob(grpc::CallbackServerContext* context,
                                                     const pb::GetJobRequest* request,
                                                     pb::GetJobResponse* response) {
  return Answer(context, parts_, Role::kReader, [this, request, response](Caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, parts_.coordinator->GetJob(request->job_id()));
    *response->mutable_job() = ToProto(*job);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::ListJobs(grpc::CallbackServerContext* context,
                                                       const pb::ListJobsRequest* request,
                                                       pb::ListJobsResponse* response) {
  return Answer(context, parts_, Role::kReader, [this, request, response](Caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobFilter filter, FromProto(*request));
    const JobPage page = parts_.coordinator->ListJobs(filter);
    for (const JobPtr& job : page.jobs) {
      *response->add_jobs() = ToListedProto(*job);
    }
    response->set_next_page_token(page.next_page_token);
    response->set_revision(parts_.coordinator->revision());
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<pb::WatchJobResponse>* CoordinatorService::WatchJob(
    grpc::CallbackServerContext* context, const pb::WatchJobRequest* request) {
  const absl::StatusOr<Principal> caller = parts_.access->Admit(*context, Role::kReader);
  if (!caller.ok()) {
    return new RefusedCall<grpc::ServerWriteReactor<pb::WatchJobResponse>>(caller.status());
  }
  // Deletes itself in its last step.
  return new WatchStream({parts_.coordinator, parts_.pool, parts_.streams}, request->job_id());
}

grpc::ServerUnaryReactor* CoordinatorService::CancelJob(grpc::CallbackServerContext* context,
                                                        const pb::CancelJobRequest* request,
                                                        pb::CancelJobResponse* response) {
  const auto act = [this, request, response](Caller who) -> absl::Status {
    FPO_RETURN_IF_ERROR(MayChange(parts_, who, request->job_id()));
    FPO_ASSIGN_OR_RETURN(const JobPtr job,
                         parts_.coordinator->Cancel(request->job_id(), request->now()));
    *response->mutable_job() = ToProto(*job);
    return absl::OkStatus();
  };
  return Answer(context, parts_, Role::kUser, act);
}

grpc::ServerWriteReactor<pb::LogsResponse>* CoordinatorService::Logs(
    grpc::CallbackServerContext* context, const pb::LogsRequest* request) {
  const absl::StatusOr<Principal> caller = parts_.access->Admit(*context, Role::kReader);
  if (!caller.ok()) {
    return new RefusedCall<grpc::ServerWriteReactor<pb::LogsResponse>>(caller.status());
  }
  // Deletes itself in its last step.
  return new LogStream({parts_.coordinator, parts_.pool, parts_.streams, parts_.wall}, *request);
}

grpc::ServerWriteReactor<pb::ReadArtifactResponse>* CoordinatorService::ReadArtifact(
    grpc::CallbackServerContext* context, const pb::ReadArtifactRequest* request) {
  const absl::StatusOr<Principal> caller = parts_.access->Admit(*context, Role::kUser);
  if (!caller.ok()) {
    return new RefusedCall<grpc::ServerWriteReactor<pb::ReadArtifactResponse>>(caller.status());
  }
  ArtifactStream::Parts parts{parts_.coordinator, parts_.pool, parts_.streams, parts_.relay};
  // A model is its owner's: who may look at a job may not take it away.
  parts.may_read = [this, caller = *caller](const std::string& job) {
    return MayChange(parts_, caller, job);
  };
  return new ArtifactStream(parts, context, *request);  // deletes itself in its last step
}

grpc::ServerUnaryReactor* CoordinatorService::Events(grpc::CallbackServerContext* context,
                                                     const pb::EventsRequest* request,
                                                     pb::EventsResponse* response) {
  return Answer(context, parts_, Role::kReader, [this, request, response](Caller) -> absl::Status {
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
  return Answer(context, parts_, Role::kReader, [this, response](Caller) -> absl::Status {
    for (const WorkerView& worker : parts_.coordinator->ListWorkers()) {
      *response->add_workers() = ToProto(worker);
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::SetWorkerMode(grpc::CallbackServerContext* context,
                                                            const pb::SetWorkerModeRequest* request,
                                                            pb::SetWorkerModeResponse* response) {
  return Answer(context, parts_, Role::kAdmin, [this, request, response](Caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const WorkerMode mode, FromProto(*request));
    FPO_ASSIGN_OR_RETURN(const WorkerView worker,
                         parts_.coordinator->SetWorkerMode(request->worker_id(), mode));
    *response->mutable_worker() = ToProto(worker);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::Change(grpc::CallbackServerContext* context,
                                                     const std::string& job, const JobEvent& event,
                                                     pb::ChangeJobResponse* response) {
  const auto act = [this, job, event, response](Caller who) -> absl::Status {
    FPO_RETURN_IF_ERROR(MayChange(parts_, who, job));
    FPO_ASSIGN_OR_RETURN(const JobPtr changed, parts_.coordinator->Change(job, event));
    *response->mutable_job() = ToProto(*changed);
    return absl::OkStatus();
  };
  return Answer(context, parts_, Role::kUser, act);
}

grpc::ServerUnaryReactor* CoordinatorService::HoldJob(grpc::CallbackServerContext* context,
                                                      const pb::ChangeJobRequest* request,
                                                      pb::ChangeJobResponse* response) {
  return Change(context, request->job_id(), HoldRequest{}, response);
}

grpc::ServerUnaryReactor* CoordinatorService::ReleaseJob(grpc::CallbackServerContext* context,
                                                         const pb::ChangeJobRequest* request,
                                                         pb::ChangeJobResponse* response) {
  return Change(context, request->job_id(), ReleaseRequest{}, response);
}

grpc::ServerUnaryReactor* CoordinatorService::PauseJob(grpc::CallbackServerContext* context,
                                                       const pb::ChangeJobRequest* request,
                                                       pb::ChangeJobResponse* response) {
  return Change(context, request->job_id(), PauseRequest{parts_.coordinator->checkpoint_grace()},
                response);
}

grpc::ServerUnaryReactor* CoordinatorService::ResumeJob(grpc::CallbackServerContext* context,
                                                        const pb::ChangeJobRequest* request,
                                                        pb::ChangeJobResponse* response) {
  return Change(context, request->job_id(), ResumeRequest{}, response);
}

grpc::ServerUnaryReactor* CoordinatorService::SetPriority(grpc::CallbackServerContext* context,
                                                          const pb::SetPriorityRequest* request,
                                                          pb::ChangeJobResponse* response) {
  const auto act = [this, request, response](Caller who) -> absl::Status {
    FPO_RETURN_IF_ERROR(MayChange(parts_, who, request->job_id()));
    FPO_RETURN_IF_ERROR(CheckPriority(request->priority()));
    FPO_ASSIGN_OR_RETURN(
        const JobPtr job,
        parts_.coordinator->Change(request->job_id(), PriorityRequest{request->priority()}));
    *response->mutable_job() = ToProto(*job);
    return absl::OkStatus();
  };
  return Answer(context, parts_, Role::kUser, act);
}

grpc::ServerUnaryReactor* CoordinatorService::RetryJob(grpc::CallbackServerContext* context,
                                                       const pb::RetryJobRequest* request,
                                                       pb::SubmitResponse* response) {
  const auto act = [this, request, response](Caller who) -> absl::Status {
    FPO_RETURN_IF_ERROR(MayChange(parts_, who, request->job_id()));
    RetryAsk ask = FromProto(*request);
    if (!who.name.empty()) ask.owner.clear();  // it stays the old job's
    FPO_ASSIGN_OR_RETURN(const SubmitAnswer answer, parts_.coordinator->Retry(ask));
    Fill(answer, response);
    return absl::OkStatus();
  };
  return Answer(context, parts_, Role::kUser, act);
}

grpc::ServerUnaryReactor* CoordinatorService::ExplainJob(grpc::CallbackServerContext* context,
                                                         const pb::ExplainJobRequest* request,
                                                         pb::ExplainJobResponse* response) {
  return Answer(context, parts_, Role::kReader, [this, request, response](Caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, parts_.coordinator->GetJob(request->job_id()));
    FPO_ASSIGN_OR_RETURN(const Explanation why, parts_.coordinator->Explain(job->job_id));
    *response = ToProto(why);
    response->set_state(ToProto(*job).state());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::Queue(grpc::CallbackServerContext* context,
                                                    const pb::QueueRequest*,
                                                    pb::QueueResponse* response) {
  return Answer(context, parts_, Role::kReader, [this, response](Caller) -> absl::Status {
    QueueView queue = parts_.coordinator->Queue();
    if (queue.waiting.size() > kQueueMax) queue.waiting.resize(kQueueMax);
    *response = ToProto(queue);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::Metrics(grpc::CallbackServerContext* context,
                                                      const pb::MetricsRequest* request,
                                                      pb::MetricsResponse* response) {
  return Answer(context, parts_, Role::kReader, [this, request, response](Caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, parts_.coordinator->GetJob(request->job_id()));
    const std::vector<std::string> names(request->names().begin(), request->names().end());
    FPO_ASSIGN_OR_RETURN(const MetricSeries series,
                         parts_.coordinator->ReadMetrics(job->job_id, names));
    response->set_job_id(job->job_id);
    Fill(series, kPointsMax, response);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::ListCheckpoints(
    grpc::CallbackServerContext* context, const pb::ListCheckpointsRequest* request,
    pb::ListCheckpointsResponse* response) {
  return Answer(context, parts_, Role::kReader, [this, request, response](Caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, parts_.coordinator->GetJob(request->job_id()));
    response->set_job_id(job->job_id);
    for (auto it = job->checkpoints.rbegin(); it != job->checkpoints.rend(); ++it) {
      *response->add_checkpoints() = ToProto(*it);
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::PinCheckpoint(grpc::CallbackServerContext* context,
                                                            const pb::PinCheckpointRequest* request,
                                                            pb::PinCheckpointResponse* response) {
  const auto act = [this, request, response](Caller who) -> absl::Status {
    FPO_RETURN_IF_ERROR(MayChange(parts_, who, request->job_id()));
    FPO_ASSIGN_OR_RETURN(
        const Checkpoint checkpoint,
        parts_.coordinator->PinCheckpoint(request->job_id(), request->step(), request->pinned()));
    *response->mutable_checkpoint() = ToProto(checkpoint);
    return absl::OkStatus();
  };
  return Answer(context, parts_, Role::kUser, act);
}

grpc::ServerUnaryReactor* CoordinatorService::GcCheckpoints(grpc::CallbackServerContext* context,
                                                            const pb::GcCheckpointsRequest* request,
                                                            pb::GcCheckpointsResponse* response) {
  const auto act = [this, request, response](Caller who) -> absl::Status {
    FPO_RETURN_IF_ERROR(MayChange(parts_, who, request->job_id()));
    FPO_ASSIGN_OR_RETURN(const JobPtr job, parts_.coordinator->GetJob(request->job_id()));
    FPO_ASSIGN_OR_RETURN(const std::vector<RetentionDecision> decisions,
                         parts_.coordinator->GcCheckpoints(job->job_id, request->dry_run()));
    *response = ToProto(decisions);
    response->set_job_id(job->job_id);
    return absl::OkStatus();
  };
  return Answer(context, parts_, Role::kUser, act);
}

}  // namespace fpo::coordinator
