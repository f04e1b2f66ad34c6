// Read-only calls on jobs, lines and workers. Those that change something:
// coordinator_service_acts.cc.
#include "coordinator/rpc/coordinator_service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/rpc/streams/refused_call.h"
#include "common/status_macros.h"
#include "coordinator/core/jobs/submission.h"
#include "coordinator/rpc/convert.h"
#include "coordinator/rpc/streams/artifact_stream.h"
#include "coordinator/rpc/streams/log_stream.h"
#include "coordinator/rpc/streams/watch_stream.h"
#include "coordinator/rpc/user_call.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

using Caller = const Principal&;

constexpr int32_t kEventsMax = 1000;
constexpr size_t kQueueMax = 500;           // waiting jobs shown
constexpr size_t kEventBytesMax = 3 << 20;  // of an answer; a message holds 4 MiB
constexpr size_t kPointsMax = 2000;

// Read-only calls. `look` is absl::Status(const Principal&).
template <typename Call>
grpc::ServerUnaryReactor* ReadOnlyCall(grpc::CallbackServerContext* context,
                                       const CoordinatorService::Dependencies& dependencies,
                                       const char* method, Call read) {
  return Answer({context, &dependencies, method, Role::kReader}, {},
                [read](Caller caller, AuditEntry*) { return read(caller); });
}

}  // namespace

grpc::ServerUnaryReactor* CoordinatorService::GetJob(grpc::CallbackServerContext* context,
                                                     const pb::GetJobRequest* request,
                                                     pb::GetJobResponse* response) {
  return ReadOnlyCall(
      context, dependencies_, "GetJob", [this, request, response](Caller caller) -> absl::Status {
        FPO_ASSIGN_OR_RETURN(const JobPtr job,
                             dependencies_.coordinator->GetJob(request->job_id(), caller.name));
        FPO_ASSIGN_OR_RETURN(std::string config,
                             dependencies_.coordinator->ReadConfig(job->job_id));
        *response->mutable_job() = ToProto(*job, std::move(config));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* CoordinatorService::ListJobs(grpc::CallbackServerContext* context,
                                                       const pb::ListJobsRequest* request,
                                                       pb::ListJobsResponse* response) {
  return ReadOnlyCall(context, dependencies_, "ListJobs",
                      [this, request, response](Caller) -> absl::Status {
                        FPO_ASSIGN_OR_RETURN(const JobFilter filter, FromProto(*request));
                        const JobPage page = dependencies_.coordinator->ListJobs(filter);
                        Fill(page, response);
                        response->set_revision(dependencies_.coordinator->revision());
                        return absl::OkStatus();
                      });
}

grpc::ServerWriteReactor<pb::WatchJobResponse>* CoordinatorService::WatchJob(
    grpc::CallbackServerContext* context, const pb::WatchJobRequest* request) {
  const absl::StatusOr<Principal> caller = dependencies_.access->Admit(*context, Role::kReader);
  if (!caller.ok()) {
    Audit({context, &dependencies_, "WatchJob", Role::kReader}, nullptr, caller.status(),
          {.target = request->job_id()});
    return new RefusedCall<grpc::ServerWriteReactor<pb::WatchJobResponse>>(caller.status());
  }
  // Deletes itself in its last step.
  return new WatchStream(
      {dependencies_.coordinator, dependencies_.pool, dependencies_.streams, caller->name},
      StreamCallOf(context, *caller), request->job_id());
}

grpc::ServerWriteReactor<pb::LogsResponse>* CoordinatorService::Logs(
    grpc::CallbackServerContext* context, const pb::LogsRequest* request) {
  const absl::StatusOr<Principal> caller = dependencies_.access->Admit(*context, Role::kReader);
  if (!caller.ok()) {
    Audit({context, &dependencies_, "Logs", Role::kReader}, nullptr, caller.status(),
          {.target = request->job_id()});
    return new RefusedCall<grpc::ServerWriteReactor<pb::LogsResponse>>(caller.status());
  }
  // Deletes itself in its last step.
  return new LogStream({dependencies_.coordinator, dependencies_.pool, dependencies_.streams,
                        dependencies_.wall, caller->name},
                       StreamCallOf(context, *caller), *request);
}

grpc::ServerUnaryReactor* CoordinatorService::Events(grpc::CallbackServerContext* context,
                                                     const pb::EventsRequest* request,
                                                     pb::EventsResponse* response) {
  return ReadOnlyCall(
      context, dependencies_, "Events", [this, request, response](Caller caller) -> absl::Status {
        FPO_ASSIGN_OR_RETURN(const JobPtr job,
                             dependencies_.coordinator->GetJob(request->job_id(), caller.name));
        const int32_t limit =
            request->limit() <= 0 ? kEventsMax : std::min(request->limit(), kEventsMax);
        FPO_ASSIGN_OR_RETURN(
            const std::vector<EventLine> lines,
            dependencies_.coordinator->ReadEvents(job->job_id, request->after(), limit));
        size_t bytes = 0;
        for (const EventLine& line : lines) {
          bytes += line.json.size();
          if (bytes > kEventBytesMax && response->events_size() > 0) break;
          *response->add_events() = ToProto(line);
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* CoordinatorService::ListWorkers(grpc::CallbackServerContext* context,
                                                          const pb::ListWorkersRequest*,
                                                          pb::ListWorkersResponse* response) {
  return ReadOnlyCall(context, dependencies_, "ListWorkers",
                      [this, response](Caller) -> absl::Status {
                        for (const WorkerView& worker : dependencies_.coordinator->ListWorkers()) {
                          *response->add_workers() = ToProto(worker);
                        }
                        return absl::OkStatus();
                      });
}

grpc::ServerUnaryReactor* CoordinatorService::ExplainJob(grpc::CallbackServerContext* context,
                                                         const pb::ExplainJobRequest* request,
                                                         pb::ExplainJobResponse* response) {
  return ReadOnlyCall(context, dependencies_, "ExplainJob",
                      [this, request, response](Caller caller) -> absl::Status {
                        FPO_ASSIGN_OR_RETURN(const JobPtr job, dependencies_.coordinator->GetJob(
                                                                   request->job_id(), caller.name));
                        FPO_ASSIGN_OR_RETURN(const Explanation why,
                                             dependencies_.coordinator->Explain(job->job_id));
                        *response = ToProto(why);
                        response->set_state(ToProto(job->state));
                        return absl::OkStatus();
                      });
}

grpc::ServerUnaryReactor* CoordinatorService::Queue(grpc::CallbackServerContext* context,
                                                    const pb::QueueRequest*,
                                                    pb::QueueResponse* response) {
  return ReadOnlyCall(context, dependencies_, "Queue", [this, response](Caller) -> absl::Status {
    QueueView queue = dependencies_.coordinator->Queue();
    if (queue.waiting.size() > kQueueMax) queue.waiting.resize(kQueueMax);
    *response = ToProto(queue);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CoordinatorService::Metrics(grpc::CallbackServerContext* context,
                                                      const pb::MetricsRequest* request,
                                                      pb::MetricsResponse* response) {
  return ReadOnlyCall(
      context, dependencies_, "Metrics", [this, request, response](Caller caller) -> absl::Status {
        FPO_ASSIGN_OR_RETURN(const JobPtr job,
                             dependencies_.coordinator->GetJob(request->job_id(), caller.name));
        const std::vector<std::string> names(request->names().begin(), request->names().end());
        FPO_ASSIGN_OR_RETURN(const auto curves, dependencies_.coordinator->metrics().Get(
                                                    {job->job_id, names, kPointsMax}));
        response->set_job_id(job->job_id);
        Fill(*curves, response);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* CoordinatorService::ListCheckpoints(
    grpc::CallbackServerContext* context, const pb::ListCheckpointsRequest* request,
    pb::ListCheckpointsResponse* response) {
  return ReadOnlyCall(
      context, dependencies_, "ListCheckpoints",
      [this, request, response](Caller caller) -> absl::Status {
        FPO_ASSIGN_OR_RETURN(const JobPtr job,
                             dependencies_.coordinator->GetJob(request->job_id(), caller.name));
        response->set_job_id(job->job_id);
        for (auto it = job->checkpoints.rbegin(); it != job->checkpoints.rend(); ++it) {
          *response->add_checkpoints() = ToProto(*it);
        }
        for (auto it = job->bad_checkpoints.rbegin(); it != job->bad_checkpoints.rend(); ++it) {
          *response->add_bad() = ToProto(*it);
        }
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<pb::ReadArtifactResponse>* CoordinatorService::ReadArtifact(
    grpc::CallbackServerContext* context, const pb::ReadArtifactRequest* request) {
  const absl::StatusOr<Principal> caller = dependencies_.access->Admit(*context, Role::kUser);
  if (!caller.ok()) {
    Audit({context, &dependencies_, "ReadArtifact", Role::kReader}, nullptr, caller.status(),
          {.target = request->job_id()});
    return new RefusedCall<grpc::ServerWriteReactor<pb::ReadArtifactResponse>>(caller.status());
  }
  ArtifactStream::Dependencies dependencies{dependencies_.coordinator, dependencies_.pool,
                                            dependencies_.streams, dependencies_.relay};
  // A model is its owner's: permission to see a job does not include its files.
  dependencies.job_to_read = [this, caller = *caller](const std::string& job) {
    return JobToChange(dependencies_, caller, job);
  };
  return new ArtifactStream(dependencies, context, *request);  // deletes itself in its last step
}

grpc::ServerUnaryReactor* CoordinatorService::ListAudit(grpc::CallbackServerContext* context,
                                                        const pb::ListAuditRequest* request,
                                                        pb::ListAuditResponse* response) {
  const auto act = [this, request, response](Caller, AuditEntry*) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const std::vector<AuditEntry> entries,
                         dependencies_.audit->Read(FromProto(*request)));
    for (const AuditEntry& entry : entries) *response->add_entries() = ToProto(entry);
    return absl::OkStatus();
  };
  return Answer({context, &dependencies_, "ListAudit", Role::kAdmin}, {}, act);
}

}  // namespace fpo::coordinator
