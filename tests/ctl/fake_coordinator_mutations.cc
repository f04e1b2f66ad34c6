// The calls of a FakeCoordinator that change or explain something.
#include "common/rpc/grpc_status.h"
#include "tests/ctl/fake_coordinator.h"

namespace fpo::ctl {

namespace pb = fpo::v1;

void FakeCoordinator::SetMetrics(std::vector<pb::MetricSeries> series) {
  absl::MutexLock lock(&mutex_);
  metrics_ = std::move(series);
}

void FakeCoordinator::SetStates(pb::JobState state) {
  absl::MutexLock lock(&mutex_);
  for (Job& job : jobs_) job.set_state(state);
}

grpc::Status FakeCoordinator::Change(const std::string& job_id, pb::JobState state,
                                     pb::ChangeJobResponse* response) {
  const absl::Status found = Find(job_id, response->mutable_job());
  if (found.ok()) response->mutable_job()->set_state(state);
  return ToGrpcStatus(found);
}

grpc::Status FakeCoordinator::HoldJob(grpc::ServerContext*, const pb::ChangeJobRequest* request,
                                      pb::ChangeJobResponse* response) {
  return Change(request->job_id(), pb::JOB_STATE_HELD, response);
}

grpc::Status FakeCoordinator::ReleaseJob(grpc::ServerContext*, const pb::ChangeJobRequest* request,
                                         pb::ChangeJobResponse* response) {
  return Change(request->job_id(), pb::JOB_STATE_QUEUED, response);
}

grpc::Status FakeCoordinator::PauseJob(grpc::ServerContext*, const pb::ChangeJobRequest* request,
                                       pb::ChangeJobResponse* response) {
  return Change(request->job_id(), pb::JOB_STATE_PAUSING, response);
}

grpc::Status FakeCoordinator::ResumeJob(grpc::ServerContext*, const pb::ChangeJobRequest* request,
                                        pb::ChangeJobResponse* response) {
  return Change(request->job_id(), pb::JOB_STATE_QUEUED, response);
}

grpc::Status FakeCoordinator::SetPriority(grpc::ServerContext*,
                                          const pb::SetPriorityRequest* request,
                                          pb::ChangeJobResponse* response) {
  const grpc::Status status = Change(request->job_id(), pb::JOB_STATE_QUEUED, response);
  response->mutable_job()->set_priority(request->priority());
  return status;
}

grpc::Status FakeCoordinator::RetryJob(grpc::ServerContext*, const pb::RetryJobRequest* request,
                                       pb::SubmitResponse* response) {
  Job job;
  const absl::Status found = Find(request->job_id(), &job);
  response->set_job_id("j-2000");
  return ToGrpcStatus(found);
}

grpc::Status FakeCoordinator::ExplainJob(grpc::ServerContext*, const pb::ExplainJobRequest* request,
                                         pb::ExplainJobResponse* response) {
  Job job;
  const absl::Status found = Find(request->job_id(), &job);
  response->set_state(job.state());
  response->set_word("running");
  response->set_text("running: train, 5 of 9 steps");
  return ToGrpcStatus(found);
}

grpc::Status FakeCoordinator::Queue(grpc::ServerContext*, const pb::QueueRequest*,
                                    pb::QueueResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (const Job& job : jobs_) *response->add_running()->mutable_job() = job;
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::Metrics(grpc::ServerContext*, const pb::MetricsRequest* request,
                                      pb::MetricsResponse* response) {
  Job job;
  const absl::Status found = Find(request->job_id(), &job);
  response->set_job_id(job.job_id());
  absl::MutexLock lock(&mutex_);
  for (const pb::MetricSeries& series : metrics_) {
    bool wanted = request->names().empty();
    for (const std::string& name : request->names()) wanted |= name == series.name();
    if (wanted) *response->add_series() = series;
  }
  return ToGrpcStatus(found);
}

grpc::Status FakeCoordinator::PinCheckpoint(grpc::ServerContext*,
                                            const pb::PinCheckpointRequest* request,
                                            pb::PinCheckpointResponse* response) {
  response->mutable_checkpoint()->set_step(request->step());
  response->mutable_checkpoint()->set_pinned(request->pinned());
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::GcCheckpoints(grpc::ServerContext*,
                                            const pb::GcCheckpointsRequest* request,
                                            pb::GcCheckpointsResponse* response) {
  response->set_job_id(request->job_id());
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::SetWorkerMode(grpc::ServerContext*,
                                            const pb::SetWorkerModeRequest* request,
                                            pb::SetWorkerModeResponse* response) {
  response->mutable_worker()->set_worker_id(request->worker_id());
  response->mutable_worker()->set_state(pb::WORKER_STATE_DRAINED);
  return grpc::Status::OK;
}

}  // namespace fpo::ctl
