#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/server.h"
#include "proto/fpo/v1/coordinator.grpc.pb.h"

namespace fpo::ctl {

// A Coordinator that answers from a script, on a free port of this machine. Thread-safe.
class FakeCoordinator final : public fpo::v1::Coordinator::Service {
 public:
  using Job = fpo::v1::Job;

  FakeCoordinator();
  ~FakeCoordinator() override;

  const std::string& address() const { return address_; }
  void Stop();   // the port is closed, open streams are cut
  void Start();  // again on the same port
  void SetServing(bool serving);

  // --- the script ---
  void AddJob(const Job& job);
  // What WatchJob sends, one script per call; a script that ends in a state that is not terminal
  // ends with `end`.
  struct WatchScript {
    std::vector<Job> jobs;
    absl::Status end;
    bool hold = false;  // after the jobs: the stream stays open until Stop
  };
  void AddWatch(WatchScript script);
  struct LogScript {
    std::vector<std::vector<fpo::v1::LogLine>> answers = {};
    absl::Status end = {};
    fpo::v1::JobState jobs_become = {};  // after the lines; unspecified: stay as they are
  };
  void AddLogs(LogScript script);
  using ArtifactScript = std::function<absl::Status(
      const fpo::v1::ReadArtifactRequest&, grpc::ServerWriter<fpo::v1::ReadArtifactResponse>*)>;
  void SetArtifact(ArtifactScript script);  // answers every ReadArtifact
  void SetCheckpoints(std::vector<fpo::v1::Checkpoint> checkpoints);
  void SetAudit(std::vector<fpo::v1::AuditEntry> entries);  // newest first
  void AddWorker(const fpo::v1::Worker& worker);
  void SetStates(fpo::v1::JobState state);  // of all jobs
  void SetMetrics(std::vector<fpo::v1::MetricSeries> series);
  void FailNext(const std::string& method, const absl::Status& error);
  void LoseAnswers(int count);  // of Submit: the job is stored, the caller sees UNAVAILABLE
  void SetProblems(std::vector<std::string> problems, std::vector<std::string> warnings);

  // --- what was asked ---
  std::vector<fpo::v1::SubmitRequest> submits() const;
  std::vector<fpo::v1::ListJobsRequest> lists() const;
  std::vector<fpo::v1::LogsRequest> logs() const;
  std::vector<fpo::v1::CancelJobRequest> cancels() const;
  int watches() const;
  int jobs_stored() const;
  // Returns when so many WatchJob calls have begun.
  void AwaitWatches(int count) const;

  grpc::Status Submit(grpc::ServerContext*, const fpo::v1::SubmitRequest*,
                      fpo::v1::SubmitResponse*) override;
  grpc::Status Validate(grpc::ServerContext*, const fpo::v1::ValidateRequest*,
                        fpo::v1::ValidateResponse*) override;
  grpc::Status GetJob(grpc::ServerContext*, const fpo::v1::GetJobRequest*,
                      fpo::v1::GetJobResponse*) override;
  grpc::Status ListJobs(grpc::ServerContext*, const fpo::v1::ListJobsRequest*,
                        fpo::v1::ListJobsResponse*) override;
  grpc::Status WatchJob(grpc::ServerContext*, const fpo::v1::WatchJobRequest*,
                        grpc::ServerWriter<fpo::v1::WatchJobResponse>*) override;
  grpc::Status CancelJob(grpc::ServerContext*, const fpo::v1::CancelJobRequest*,
                         fpo::v1::CancelJobResponse*) override;
  grpc::Status Logs(grpc::ServerContext*, const fpo::v1::LogsRequest*,
                    grpc::ServerWriter<fpo::v1::LogsResponse>*) override;
  grpc::Status ListWorkers(grpc::ServerContext*, const fpo::v1::ListWorkersRequest*,
                           fpo::v1::ListWorkersResponse*) override;

  // Those that change something; each answers with the job or worker as it was asked for.
  grpc::Status HoldJob(grpc::ServerContext*, const fpo::v1::ChangeJobRequest*,
                       fpo::v1::ChangeJobResponse*) override;
  grpc::Status ReleaseJob(grpc::ServerContext*, const fpo::v1::ChangeJobRequest*,
                          fpo::v1::ChangeJobResponse*) override;
  grpc::Status PauseJob(grpc::ServerContext*, const fpo::v1::ChangeJobRequest*,
                        fpo::v1::ChangeJobResponse*) override;
  grpc::Status ResumeJob(grpc::ServerContext*, const fpo::v1::ChangeJobRequest*,
                         fpo::v1::ChangeJobResponse*) override;
  grpc::Status SetPriority(grpc::ServerContext*, const fpo::v1::SetPriorityRequest*,
                           fpo::v1::ChangeJobResponse*) override;
  grpc::Status RetryJob(grpc::ServerContext*, const fpo::v1::RetryJobRequest*,
                        fpo::v1::SubmitResponse*) override;
  grpc::Status ExplainJob(grpc::ServerContext*, const fpo::v1::ExplainJobRequest*,
                          fpo::v1::ExplainJobResponse*) override;
  grpc::Status Queue(grpc::ServerContext*, const fpo::v1::QueueRequest*,
                     fpo::v1::QueueResponse*) override;
  grpc::Status Metrics(grpc::ServerContext*, const fpo::v1::MetricsRequest*,
                       fpo::v1::MetricsResponse*) override;
  grpc::Status PinCheckpoint(grpc::ServerContext*, const fpo::v1::PinCheckpointRequest*,
                             fpo::v1::PinCheckpointResponse*) override;
  grpc::Status GcCheckpoints(grpc::ServerContext*, const fpo::v1::GcCheckpointsRequest*,
                             fpo::v1::GcCheckpointsResponse*) override;
  grpc::Status SetWorkerMode(grpc::ServerContext*, const fpo::v1::SetWorkerModeRequest*,
                             fpo::v1::SetWorkerModeResponse*) override;
  grpc::Status BackupJobs(grpc::ServerContext*, const fpo::v1::BackupJobsRequest*,
                          fpo::v1::BackupJobsResponse* response) override;
  grpc::Status ListAudit(grpc::ServerContext*, const fpo::v1::ListAuditRequest*,
                         fpo::v1::ListAuditResponse*) override;
  grpc::Status ReadArtifact(grpc::ServerContext*, const fpo::v1::ReadArtifactRequest*,
                            grpc::ServerWriter<fpo::v1::ReadArtifactResponse>*) override;
  grpc::Status ListCheckpoints(grpc::ServerContext*, const fpo::v1::ListCheckpointsRequest*,
                               fpo::v1::ListCheckpointsResponse*) override;

 private:
  absl::Status TakeFailure(const std::string& method);
  absl::Status Find(const std::string& job_id, Job* job);
  grpc::Status Change(const std::string& job_id, fpo::v1::JobState state,
                      fpo::v1::ChangeJobResponse* response);

  std::string address_ = "127.0.0.1:0";
  std::unique_ptr<RpcServer> server_;
  mutable absl::Mutex mutex_;
  std::vector<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> stored_ ABSL_GUARDED_BY(mutex_);  // request id to job id
  std::deque<WatchScript> watch_scripts_ ABSL_GUARDED_BY(mutex_);
  std::deque<LogScript> log_scripts_ ABSL_GUARDED_BY(mutex_);
  ArtifactScript artifact_ ABSL_GUARDED_BY(mutex_);
  std::vector<fpo::v1::Checkpoint> checkpoints_ ABSL_GUARDED_BY(mutex_);
  std::vector<fpo::v1::MetricSeries> metrics_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::deque<absl::Status>> failures_ ABSL_GUARDED_BY(mutex_);
  std::vector<fpo::v1::AuditEntry> audit_ ABSL_GUARDED_BY(mutex_);
  std::vector<fpo::v1::Worker> workers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> problems_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> warnings_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int lost_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  int watches_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<fpo::v1::SubmitRequest> submits_ ABSL_GUARDED_BY(mutex_);
  std::vector<fpo::v1::ListJobsRequest> lists_ ABSL_GUARDED_BY(mutex_);
  std::vector<fpo::v1::LogsRequest> logs_ ABSL_GUARDED_BY(mutex_);
  std::vector<fpo::v1::CancelJobRequest> cancels_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::ctl
