#include "tests/ctl/fake_coordinator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "gtest/gtest.h"

namespace fpo::ctl {

namespace pb = fpo::v1;

FakeCoordinator::FakeCoordinator() { Start(); }

FakeCoordinator::~FakeCoordinator() { Stop(); }

void FakeCoordinator::Start() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = false;
  }
  RpcServerOptions options;
  options.listen = address_;
  options.services = {{pb::Coordinator::service_full_name(), this}};
  auto server = RpcServer::Start(std::move(options));
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = std::move(*server);
  address_ = server_->address();
}

void FakeCoordinator::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
  server_.reset();
}

void FakeCoordinator::SetServing(bool serving) { server_->SetServing("", serving); }

void FakeCoordinator::AddJob(const Job& job) {
  absl::MutexLock lock(&mutex_);
  jobs_.push_back(job);
}

void FakeCoordinator::AddWatch(WatchScript script) {
  absl::MutexLock lock(&mutex_);
  watch_scripts_.push_back(std::move(script));
}

void FakeCoordinator::AddLogs(LogScript script) {
  absl::MutexLock lock(&mutex_);
  log_scripts_.push_back(std::move(script));
}

void FakeCoordinator::AddWorker(const pb::Worker& worker) {
  absl::MutexLock lock(&mutex_);
  workers_.push_back(worker);
}

void FakeCoordinator::SetAudit(std::vector<pb::AuditEntry> entries) {
  absl::MutexLock lock(&mutex_);
  audit_ = std::move(entries);
}

grpc::Status FakeCoordinator::BackupJobs(grpc::ServerContext*, const pb::BackupJobsRequest*,
                                         pb::BackupJobsResponse* response) {
  response->set_path("/backups/jobs-20270115T080000.000Z");
  response->set_jobs(3);
  response->set_bytes(123456);
  response->set_revision(42);
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::ListAudit(grpc::ServerContext*, const pb::ListAuditRequest* request,
                                        pb::ListAuditResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (const pb::AuditEntry& entry : audit_) {
    const bool older = request->before() == 0 || entry.cursor() < request->before();
    if (older && response->entries_size() < request->limit()) *response->add_entries() = entry;
  }
  return grpc::Status::OK;
}

void FakeCoordinator::FailNext(const std::string& method, const absl::Status& error) {
  absl::MutexLock lock(&mutex_);
  failures_[method].push_back(error);
}

void FakeCoordinator::LoseAnswers(int count) {
  absl::MutexLock lock(&mutex_);
  lost_answers_ = count;
}

void FakeCoordinator::SetProblems(std::vector<std::string> problems,
                                  std::vector<std::string> warnings) {
  absl::MutexLock lock(&mutex_);
  problems_ = std::move(problems);
  warnings_ = std::move(warnings);
}

std::vector<pb::SubmitRequest> FakeCoordinator::submits() const {
  absl::MutexLock lock(&mutex_);
  return submits_;
}

std::vector<pb::ListJobsRequest> FakeCoordinator::lists() const {
  absl::MutexLock lock(&mutex_);
  return lists_;
}

std::vector<pb::LogsRequest> FakeCoordinator::logs() const {
  absl::MutexLock lock(&mutex_);
  return logs_;
}

std::vector<pb::CancelJobRequest> FakeCoordinator::cancels() const {
  absl::MutexLock lock(&mutex_);
  return cancels_;
}

int FakeCoordinator::watches() const {
  absl::MutexLock lock(&mutex_);
  return watches_;
}

int FakeCoordinator::jobs_stored() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(stored_.size());
}

void FakeCoordinator::AwaitWatches(int count) const {
  absl::MutexLock lock(&mutex_);
  const auto enough = [this, count]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return watches_ >= count; };
  EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(20)));
}

absl::Status FakeCoordinator::TakeFailure(const std::string& method) {
  absl::MutexLock lock(&mutex_);
  std::deque<absl::Status>& failures = failures_[method];
  if (failures.empty()) return absl::OkStatus();
  absl::Status error = failures.front();
  failures.pop_front();
  return error;
}

absl::Status FakeCoordinator::Find(const std::string& job_id, Job* job) {
  absl::MutexLock lock(&mutex_);
  for (const Job& known : jobs_) {
    if (known.name() == job_id || absl::StartsWith(known.job_id(), job_id)) {
      *job = known;
      return absl::OkStatus();
    }
  }
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("there is no job '", job_id, "'")),
      {.reason = ErrorReason::kJobNotFound, .field = "job_id", .hint = "fpoctl list"});
}

grpc::Status FakeCoordinator::Submit(grpc::ServerContext* context, const pb::SubmitRequest* request,
                                     pb::SubmitResponse* response) {
  const absl::Status deadline = RequireDeadline(*context);
  if (!deadline.ok()) return ToGrpcStatus(deadline);
  const absl::Status failure = TakeFailure("Submit");
  absl::MutexLock lock(&mutex_);
  submits_.push_back(*request);
  if (!failure.ok()) return ToGrpcStatus(failure);
  auto [stored, is_new] = stored_.try_emplace(request->request_id());
  if (is_new) stored->second = absl::StrCat("j-", 1000 + stored_.size());
  response->set_job_id(stored->second);
  response->set_revision(7);
  for (const std::string& warning : warnings_) response->add_warnings(warning);
  if (lost_answers_ > 0) {
    --lost_answers_;
    return {grpc::StatusCode::UNAVAILABLE, "connection reset"};
  }
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::Validate(grpc::ServerContext*, const pb::ValidateRequest*,
                                       pb::ValidateResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (const std::string& problem : problems_) response->add_problems(problem);
  for (const std::string& warning : warnings_) response->add_warnings(warning);
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::GetJob(grpc::ServerContext*, const pb::GetJobRequest* request,
                                     pb::GetJobResponse* response) {
  const absl::Status failure = TakeFailure("GetJob");
  if (!failure.ok()) return ToGrpcStatus(failure);
  return ToGrpcStatus(Find(request->job_id(), response->mutable_job()));
}

grpc::Status FakeCoordinator::ListJobs(grpc::ServerContext*, const pb::ListJobsRequest* request,
                                       pb::ListJobsResponse* response) {
  const absl::Status failure = TakeFailure("ListJobs");
  if (!failure.ok()) return ToGrpcStatus(failure);
  absl::MutexLock lock(&mutex_);
  lists_.push_back(*request);
  int from = 0;
  if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &from)) from = 0;
  const int count = static_cast<int>(jobs_.size());
  const int to = std::min(count, from + request->page_size());
  for (int i = from; i < to; ++i) {
    const bool asked = request->name().empty() || jobs_[i].name() == request->name();
    if (asked) *response->add_jobs() = jobs_[i];
  }
  if (to < count) response->set_next_page_token(absl::StrCat(to));
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::WatchJob(grpc::ServerContext*, const pb::WatchJobRequest*,
                                       grpc::ServerWriter<pb::WatchJobResponse>* writer) {
  WatchScript script;
  {
    absl::MutexLock lock(&mutex_);
    ++watches_;
    if (watch_scripts_.empty()) return {grpc::StatusCode::UNAVAILABLE, "no script"};
    script = std::move(watch_scripts_.front());
    watch_scripts_.pop_front();
  }
  for (const Job& job : script.jobs) {
    pb::WatchJobResponse response;
    *response.mutable_job() = job;
    writer->Write(response);
  }
  if (script.hold) {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&stopping_));
  }
  return ToGrpcStatus(script.end);
}

grpc::Status FakeCoordinator::CancelJob(grpc::ServerContext*, const pb::CancelJobRequest* request,
                                        pb::CancelJobResponse* response) {
  const absl::Status failure = TakeFailure("CancelJob");
  if (!failure.ok()) return ToGrpcStatus(failure);
  const absl::Status found = Find(request->job_id(), response->mutable_job());
  if (!found.ok()) return ToGrpcStatus(found);
  absl::MutexLock lock(&mutex_);
  cancels_.push_back(*request);
  const pb::JobState state = response->job().state();
  if (state == pb::JOB_STATE_SUCCEEDED || state == pb::JOB_STATE_FAILED) return grpc::Status::OK;
  response->mutable_job()->set_state(request->now() ? pb::JOB_STATE_CANCELLED
                                                    : pb::JOB_STATE_CANCELLING);
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::Logs(grpc::ServerContext*, const pb::LogsRequest* request,
                                   grpc::ServerWriter<pb::LogsResponse>* writer) {
  LogScript script;
  {
    absl::MutexLock lock(&mutex_);
    logs_.push_back(*request);
    if (log_scripts_.empty()) return {grpc::StatusCode::UNAVAILABLE, "no script"};
    script = std::move(log_scripts_.front());
    log_scripts_.pop_front();
  }
  for (const std::vector<pb::LogLine>& lines : script.answers) {
    pb::LogsResponse response;
    for (const pb::LogLine& line : lines) *response.add_lines() = line;
    writer->Write(response);
  }
  absl::MutexLock lock(&mutex_);
  for (Job& job : jobs_) {
    if (script.jobs_become != pb::JOB_STATE_UNSPECIFIED) job.set_state(script.jobs_become);
  }
  return ToGrpcStatus(script.end);
}

grpc::Status FakeCoordinator::ListWorkers(grpc::ServerContext*, const pb::ListWorkersRequest*,
                                          pb::ListWorkersResponse* response) {
  const absl::Status failure = TakeFailure("ListWorkers");
  if (!failure.ok()) return ToGrpcStatus(failure);
  absl::MutexLock lock(&mutex_);
  for (const pb::Worker& worker : workers_) *response->add_workers() = worker;
  return grpc::Status::OK;
}

void FakeCoordinator::SetArtifact(ArtifactScript script) {
  absl::MutexLock lock(&mutex_);
  artifact_ = std::move(script);
}

void FakeCoordinator::SetCheckpoints(std::vector<pb::Checkpoint> checkpoints) {
  absl::MutexLock lock(&mutex_);
  checkpoints_ = std::move(checkpoints);
}

grpc::Status FakeCoordinator::ReadArtifact(grpc::ServerContext*,
                                           const pb::ReadArtifactRequest* request,
                                           grpc::ServerWriter<pb::ReadArtifactResponse>* writer) {
  ArtifactScript script;
  {
    absl::MutexLock lock(&mutex_);
    script = artifact_;
  }
  return ToGrpcStatus(script(*request, writer));
}

grpc::Status FakeCoordinator::ListCheckpoints(grpc::ServerContext*,
                                              const pb::ListCheckpointsRequest* request,
                                              pb::ListCheckpointsResponse* response) {
  absl::MutexLock lock(&mutex_);
  response->set_job_id(request->job_id());
  for (const pb::Checkpoint& checkpoint : checkpoints_) {
    *response->add_checkpoints() = checkpoint;
  }
  return grpc::Status::OK;
}

}  // namespace fpo::ctl
