// Calls that change something; all of them are audited.
#include "coordinator/rpc/coordinator_service.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error_info.h"
#include "common/observe/trace_context.h"
#include "common/status_macros.h"
#include "coordinator/rpc/convert.h"
#include "coordinator/rpc/user_call.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

using Caller = const Principal&;

constexpr absl::Duration kGraceMax = absl::Hours(1);

UserCall Changing(grpc::CallbackServerContext* context,
                  const CoordinatorService::Dependencies& dependencies, const char* method,
                  Role least = Role::kUser) {
  return {context, &dependencies, method, least, /*changes=*/true};
}

// Jobs belong to the authenticated caller; without an access list, to the owner that the request
// names.
std::string OwnerOf(const Principal& caller, const std::string& said) {
  return caller.name.empty() ? said : caller.name;
}

// Without an access list everyone is an administrator of a service of their own.
bool IsLimited(const Principal& caller) { return caller.role < Role::kAdmin; }

// With its configuration, if that can be read: the change is made in any case.
pb::Job ShownJob(const Coordinator& coordinator, const Job& job) {
  return ToProto(job, coordinator.ReadConfig(job.job_id).value_or(""));
}

// Of the caller, who may have sent none.
TraceContext TraceOf(const grpc::CallbackServerContext& context) {
  const auto header = context.client_metadata().find("traceparent");
  if (header == context.client_metadata().end()) return {};
  return ParseTraceparent({header->second.data(), header->second.size()}).value_or(TraceContext());
}

void Fill(const SubmitResult& answer, pb::SubmitResponse* response) {
  response->set_job_id(answer.job->job_id);
  response->set_revision(answer.job->revision);
  for (const std::string& warning : answer.warnings) response->add_warnings(warning);
  response->set_records(answer.records);
}

absl::Status CheckPriority(int64_t priority) {
  if (priority >= 0 && priority <= 1000) return absl::OkStatus();
  return WithErrorInfo(
      absl::InvalidArgumentError(
          absl::StrCat("priority ", priority, " is out of range; allowed: from 0 to 1000")),
      {.reason = ErrorReason::kBadPriority, .field = "priority", .hint = "higher runs first"});
}

// Absent: as the coordinator is configured.
absl::StatusOr<std::optional<absl::Duration>> GraceOf(const pb::CancelJobRequest& request) {
  if (request.now()) return std::optional(absl::ZeroDuration());
  if (!request.has_grace()) return std::optional<absl::Duration>();
  const absl::Duration grace =
      absl::Seconds(request.grace().seconds()) + absl::Nanoseconds(request.grace().nanos());
  if (grace >= absl::ZeroDuration() && grace <= kGraceMax) return std::optional(grace);
  return WithErrorInfo(
      absl::InvalidArgumentError(absl::StrCat("grace ", absl::FormatDuration(grace),
                                              " is out of range; allowed: from 0s to 1h")),
      {.reason = ErrorReason::kBadGrace,
       .field = "grace",
       .hint = "--now kills its processes at once"});
}

}  // namespace

grpc::ServerUnaryReactor* CoordinatorService::Submit(grpc::CallbackServerContext* context,
                                                     const pb::SubmitRequest* request,
                                                     pb::SubmitResponse* response) {
  const auto act = [this, request, response, trace = TraceOf(*context)](
                       Caller who, AuditEntry* entry) mutable -> absl::Status {
    SubmitRequest submission = FromProto(*request);
    submission.owner = OwnerOf(who, submission.owner);
    submission.limited = IsLimited(who);
    submission.trace = std::move(trace);
    entry->who = submission.owner;
    FPO_ASSIGN_OR_RETURN(const SubmitResult answer, dependencies_.coordinator->Submit(submission));
    entry->target = answer.job->job_id;
    entry->detail = answer.job->name;
    Fill(answer, response);
    return absl::OkStatus();
  };
  return Answer(Changing(context, dependencies_, "Submit"), {.request_id = request->request_id()},
                act);
}

grpc::ServerUnaryReactor* CoordinatorService::Validate(grpc::CallbackServerContext* context,
                                                       const pb::ValidateRequest* request,
                                                       pb::ValidateResponse* response) {
  const auto act = [this, request, response](Caller who, AuditEntry*) -> absl::Status {
    SubmitRequest submission{"", request->spec().config_json(),
                             OwnerOf(who, request->spec().owner())};
    submission.limited = IsLimited(who);
    submission.after_ok.assign(request->after_ok().begin(), request->after_ok().end());
    submission.after_end.assign(request->after_end().begin(), request->after_end().end());
    const absl::StatusOr<Preview> preview = dependencies_.coordinator->Validate(submission);
    if (preview.ok()) {
      Fill(*preview, response);
      return absl::OkStatus();
    }
    if (ReasonOf(preview.status()) != ErrorReason::kInvalidJob) return preview.status();
    const std::string text(preview.status().message());
    for (absl::string_view problem : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
      response->add_problems(std::string(problem));
    }
    return absl::OkStatus();
  };
  return Answer({context, &dependencies_, "Validate", Role::kUser}, {}, act);
}

grpc::ServerUnaryReactor* CoordinatorService::CancelJob(grpc::CallbackServerContext* context,
                                                        const pb::CancelJobRequest* request,
                                                        pb::CancelJobResponse* response) {
  const auto act = [this, request, response](Caller who, AuditEntry* entry) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(JobPtr job, JobToChange(dependencies_, who, request->job_id()));
    FPO_ASSIGN_OR_RETURN(const std::optional<absl::Duration> grace, GraceOf(*request));
    FPO_ASSIGN_OR_RETURN(job, dependencies_.coordinator->Cancel(job->job_id, grace));
    entry->target = job->job_id;
    if (grace) entry->detail = absl::StrCat("grace ", absl::FormatDuration(*grace));
    *response->mutable_job() = ShownJob(*dependencies_.coordinator, *job);
    return absl::OkStatus();
  };
  return Answer(Changing(context, dependencies_, "CancelJob"), {.target = request->job_id()}, act);
}

grpc::ServerUnaryReactor* CoordinatorService::SetWorkerMode(grpc::CallbackServerContext* context,
                                                            const pb::SetWorkerModeRequest* request,
                                                            pb::SetWorkerModeResponse* response) {
  const auto act = [this, request, response](Caller, AuditEntry* entry) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const WorkerMode mode, FromProto(*request));
    FPO_ASSIGN_OR_RETURN(const WorkerView worker,
                         dependencies_.coordinator->SetWorkerMode(request->worker_id(), mode));
    // "DRAIN"
    entry->detail = std::string(
        absl::StripPrefix(pb::SetWorkerModeRequest::Mode_Name(request->mode()), "MODE_"));
    *response->mutable_worker() = ToProto(worker);
    return absl::OkStatus();
  };
  return Answer(Changing(context, dependencies_, "SetWorkerMode", Role::kAdmin),
                {.target = request->worker_id()}, act);
}

grpc::ServerUnaryReactor* CoordinatorService::ForgetWorker(grpc::CallbackServerContext* context,
                                                           const pb::ForgetWorkerRequest* request,
                                                           pb::ForgetWorkerResponse* response) {
  const auto act = [this, request, response](Caller, AuditEntry*) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const WorkerView worker,
                         dependencies_.coordinator->ForgetWorker(request->worker_id()));
    *response->mutable_worker() = ToProto(worker);
    return absl::OkStatus();
  };
  return Answer(Changing(context, dependencies_, "ForgetWorker", Role::kAdmin),
                {.target = request->worker_id()}, act);
}

grpc::ServerUnaryReactor* CoordinatorService::BackupJobs(grpc::CallbackServerContext* context,
                                                         const pb::BackupJobsRequest*,
                                                         pb::BackupJobsResponse* response) {
  const auto act = [this, response](Caller, AuditEntry* entry) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const StoreBackup made, dependencies_.backups->MakeNow());
    entry->detail = made.path;
    response->set_path(made.path);
    response->set_jobs(made.manifest.jobs);
    response->set_bytes(made.manifest.bytes());
    response->set_revision(made.manifest.revision);
    return absl::OkStatus();
  };
  return Answer(Changing(context, dependencies_, "BackupJobs", Role::kAdmin), {}, act);
}

grpc::ServerUnaryReactor* CoordinatorService::Change(const UserCall& call, const std::string& job,
                                                     const JobEvent& event,
                                                     pb::ChangeJobResponse* response) {
  const auto act = [this, job, event, response](Caller who, AuditEntry* entry) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr meant, JobToChange(dependencies_, who, job));
    FPO_ASSIGN_OR_RETURN(const JobPtr changed,
                         dependencies_.coordinator->Change(meant->job_id, event));
    entry->target = changed->job_id;
    *response->mutable_job() = ShownJob(*dependencies_.coordinator, *changed);
    return absl::OkStatus();
  };
  return Answer(call, {.target = job}, act);
}

grpc::ServerUnaryReactor* CoordinatorService::HoldJob(grpc::CallbackServerContext* context,
                                                      const pb::ChangeJobRequest* request,
                                                      pb::ChangeJobResponse* response) {
  return Change(Changing(context, dependencies_, "HoldJob"), request->job_id(), HoldRequest{},
                response);
}

grpc::ServerUnaryReactor* CoordinatorService::ReleaseJob(grpc::CallbackServerContext* context,
                                                         const pb::ChangeJobRequest* request,
                                                         pb::ChangeJobResponse* response) {
  return Change(Changing(context, dependencies_, "ReleaseJob"), request->job_id(), ReleaseRequest{},
                response);
}

grpc::ServerUnaryReactor* CoordinatorService::PauseJob(grpc::CallbackServerContext* context,
                                                       const pb::ChangeJobRequest* request,
                                                       pb::ChangeJobResponse* response) {
  return Change(Changing(context, dependencies_, "PauseJob"), request->job_id(),
                PauseRequest{dependencies_.coordinator->checkpoint_grace()}, response);
}

grpc::ServerUnaryReactor* CoordinatorService::ResumeJob(grpc::CallbackServerContext* context,
                                                        const pb::ChangeJobRequest* request,
                                                        pb::ChangeJobResponse* response) {
  return Change(Changing(context, dependencies_, "ResumeJob"), request->job_id(), ResumeRequest{},
                response);
}

grpc::ServerUnaryReactor* CoordinatorService::SetPriority(grpc::CallbackServerContext* context,
                                                          const pb::SetPriorityRequest* request,
                                                          pb::ChangeJobResponse* response) {
  const auto act = [this, request, response](Caller who, AuditEntry* entry) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(JobPtr job, JobToChange(dependencies_, who, request->job_id()));
    FPO_RETURN_IF_ERROR(CheckPriority(request->priority()));
    if (IsLimited(who)) {
      FPO_RETURN_IF_ERROR(
          dependencies_.coordinator->CheckPriority(job->owner, request->priority()));
    }
    FPO_ASSIGN_OR_RETURN(
        job, dependencies_.coordinator->Change(job->job_id, PriorityRequest{request->priority()}));
    entry->target = job->job_id;
    entry->detail = absl::StrCat("priority ", request->priority());
    *response->mutable_job() = ShownJob(*dependencies_.coordinator, *job);
    return absl::OkStatus();
  };
  return Answer(Changing(context, dependencies_, "SetPriority"), {.target = request->job_id()},
                act);
}

grpc::ServerUnaryReactor* CoordinatorService::RetryJob(grpc::CallbackServerContext* context,
                                                       const pb::RetryJobRequest* request,
                                                       pb::SubmitResponse* response) {
  const auto act = [this, request, response, trace = TraceOf(*context)](
                       Caller who, AuditEntry* entry) mutable -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr old, JobToChange(dependencies_, who, request->job_id()));
    RetryRequest retry = FromProto(*request);
    retry.job = old->job_id;
    retry.limited = IsLimited(who);
    retry.trace = std::move(trace);
    if (!who.name.empty()) retry.owner.clear();  // it stays the old job's
    FPO_ASSIGN_OR_RETURN(const SubmitResult answer, dependencies_.coordinator->Retry(retry));
    entry->target = answer.job->job_id;
    entry->detail = absl::StrCat("of ", answer.job->retry_of);
    Fill(answer, response);
    return absl::OkStatus();
  };
  return Answer(Changing(context, dependencies_, "RetryJob"),
                {.target = request->job_id(), .request_id = request->request_id()}, act);
}

grpc::ServerUnaryReactor* CoordinatorService::PinCheckpoint(grpc::CallbackServerContext* context,
                                                            const pb::PinCheckpointRequest* request,
                                                            pb::PinCheckpointResponse* response) {
  const auto act = [this, request, response](Caller who, AuditEntry* entry) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, JobToChange(dependencies_, who, request->job_id()));
    FPO_ASSIGN_OR_RETURN(
        const Checkpoint checkpoint,
        dependencies_.coordinator->PinCheckpoint(job->job_id, request->step(), request->pinned()));
    entry->target = job->job_id;
    entry->detail = absl::StrCat(request->pinned() ? "pin" : "unpin", " step ", request->step());
    *response->mutable_checkpoint() = ToProto(checkpoint);
    return absl::OkStatus();
  };
  return Answer(Changing(context, dependencies_, "PinCheckpoint"), {.target = request->job_id()},
                act);
}

grpc::ServerUnaryReactor* CoordinatorService::GcCheckpoints(grpc::CallbackServerContext* context,
                                                            const pb::GcCheckpointsRequest* request,
                                                            pb::GcCheckpointsResponse* response) {
  const auto act = [this, request, response](Caller who, AuditEntry* entry) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, JobToChange(dependencies_, who, request->job_id()));
    entry->target = job->job_id;
    FPO_ASSIGN_OR_RETURN(const std::vector<RetentionDecision> decisions,
                         dependencies_.coordinator->GcCheckpoints(job->job_id, request->dry_run()));
    *response = ToProto(decisions);
    response->set_job_id(job->job_id);
    return absl::OkStatus();
  };
  UserCall call = Changing(context, dependencies_, "GcCheckpoints");
  call.changes = !request->dry_run();
  return Answer(call, {.target = request->job_id()}, act);
}

}  // namespace fpo::coordinator
