#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "coordinator/core/coordinator_options.h"
#include "coordinator/core/coordinator_stats.h"
#include "coordinator/core/jobs/checkpoint_control.h"
#include "coordinator/core/jobs/job_intake.h"
#include "coordinator/core/jobs/job_table.h"
#include "coordinator/core/lines/line_intake.h"
#include "coordinator/core/lines/metric_cache.h"
#include "coordinator/core/provision/provisioner.h"
#include "coordinator/core/scheduling/explain_job.h"
#include "coordinator/core/scheduling/preview.h"
#include "coordinator/core/scheduling/queue_forecast.h"
#include "coordinator/core/scheduling/scheduler.h"
#include "coordinator/core/store/job_store.h"
#include "coordinator/core/store/store_guard.h"
#include "coordinator/core/workers/artifact_place.h"
#include "coordinator/core/workers/attempt_control.h"
#include "coordinator/core/workers/lease_table.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// The coordinator without its network: every request of users and agents, each handled under one
// lock. Thread-safe. Calls that change something wait for the disk, a few milliseconds.
class Coordinator {
 public:
  struct Dependencies {  // not owned, outlive the coordinator
    JobStore* store;
    const Clock* wall;
    const SteadyClock* steady;           // for leases and all other durations
    Provisioner* provisioner = nullptr;  // null: no workers are asked for
  };
  // Loads all jobs. Starts the reattach window.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Open(const CoordinatorOptions& options,
                                                           const Dependencies& dependencies);

  // Users. Job arguments are an id, a name or a unique prefix (JobTable::Find).
  absl::StatusOr<SubmitResult> Submit(const SubmitRequest& request);  // JobIntake::Submit
  absl::StatusOr<SubmitResult> Retry(const RetryRequest& request);    // JobIntake::Retry
  // How a job would fare if it were submitted now. Errors of Submit.
  absl::StatusOr<Preview> Validate(const SubmitRequest& request) const;
  // `owner`: who asks, as in JobTable::Find. To be asked once, by what a user typed; all else is
  // then asked for by the id of the job that it gave.
  absl::StatusOr<JobPtr> GetJob(const std::string& job_ref, const std::string& owner = "") const;
  absl::StatusOr<std::string> ReadConfig(const std::string& job_id) const;  // NotFound
  JobPage ListJobs(const JobFilter& filter) const;
  uint64_t revision() const;
  JobsToTell JobsToTellAfter(uint64_t revision, size_t jobs_max) const;  // JobTable::ToTellAfter
  // At once, or CANCELLING until its processes are gone; `grace` for them, else as configured.
  absl::StatusOr<JobPtr> Cancel(const std::string& job_ref, std::optional<absl::Duration> grace);
  // Pause to Priority of the state table, durably. FailedPrecondition: does not apply.
  absl::StatusOr<JobPtr> Change(const std::string& job_ref, const JobEvent& event);
  absl::Status CheckPriority(const std::string& owner, int64_t priority) const {
    return OwnerLimits(options_.owner_limits).CheckPriority(owner, priority);
  }
  absl::StatusOr<Explanation> Explain(const std::string& job_ref) const;
  QueueView Queue() const;
  absl::StatusOr<Checkpoint> PinCheckpoint(const std::string& job_ref, int64_t step, bool pinned);
  absl::StatusOr<std::vector<RetentionDecision>> GcCheckpoints(const std::string& job_ref,
                                                               bool dry_run);
  // Has the worker that holds the files push them to this transfer; its name. Errors: PlaceOf.
  absl::StatusOr<std::string> ServeArtifact(const ArtifactRequest& request,
                                            const std::string& transfer_id);
  // Durable. NotFound for a worker that never connected.
  absl::StatusOr<WorkerView> SetWorkerMode(const std::string& worker_id, const WorkerMode& mode);
  // Removes a lost worker, durably. NotFound; FailedPrecondition (WORKER_CONNECTED, WORKER_LEASED).
  absl::StatusOr<WorkerView> ForgetWorker(const std::string& worker_id);
  absl::StatusOr<LogPage> ReadLogs(const std::string& job_id, const LogQuery& query) const;
  absl::StatusOr<LogTail> FindTail(const std::string& job_id, const LogQuery& query,
                                   const LogTail& tail) const;
  absl::StatusOr<std::vector<EventLine>> ReadEvents(const std::string& job_id, uint64_t after,
                                                    int32_t limit) const;
  MetricCache& metrics() { return metrics_; }
  absl::Duration checkpoint_grace() const { return options_.checkpoint_grace; }
  std::vector<WorkerView> ListWorkers() const;
  // Calls on_job with the job's current state before returning.
  absl::StatusOr<WatchId> Watch(const std::string& job_id, JobWatch watch);
  void Unwatch(const std::string& job_id, WatchId id);  // no call is running, and none follows

  // Agents.
  absl::Status Connect(const WorkerHello& hello, std::shared_ptr<WorkerLink> link);
  void Disconnect(const std::string& worker_id, const WorkerLink* link);
  // The agent accepts no more work until it is restarted; running attempts move elsewhere.
  void CloseWorker(const std::string& worker_id, const std::string& why);
  // The agent would end: it is let go unless it has a part in an attempt.
  void Leave(const std::string& worker_id, WorkerLink* link, const std::string& why);
  void Heartbeat(const std::string& worker_id, WorkerLink* link, uint64_t seq);
  void Report(MemberReport report);  // a long message is cut
  absl::Status AddEvents(const std::string& worker, const EventBatch& batch);
  absl::Status AddLogs(const std::string& worker, const LogBatch& batch);

  // Time.
  void Tick();  // leases, recoveries, scheduling; about once a second or after a change
  bool TakeTickWanted() { return tick_wanted_.exchange(false); }  // something happened; never waits
  void Flush();                // makes lines durable, then acknowledges them; every 200 ms
  absl::Status Ready() const;  // why no work is accepted
  void CloseSessions(const absl::Status& why);
  CoordinatorStats Collect();

 private:
  Coordinator(const CoordinatorOptions& options, const Dependencies& dependencies);
  Moment Now() const { return {wall_.Now(), steady_.Now()}; }
  std::vector<SlotOffer> Offers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Schedule(const Moment& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AskForWorkers(SchedulePlan* plan, const Moment& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ExtendLeases(absl::Duration waited, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AskForHeldLogs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetOldRequests() ABSL_LOCKS_EXCLUDED(mu_);  // called by Tick alone
  void RemoveOldJobs(const Moment& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const CoordinatorOptions options_;
  JobStore& store_;
  const Clock& wall_;
  const SteadyClock& steady_;
  Provisioner* const provisioner_;
  const AgeClock ages_;
  MetricCache metrics_;

  mutable absl::Mutex mu_;
  JobTable jobs_ ABSL_GUARDED_BY(mu_);
  StoreGuard guard_ ABSL_GUARDED_BY(mu_);
  WorkerRegistry workers_ ABSL_GUARDED_BY(mu_);
  LeaseTable leases_ ABSL_GUARDED_BY(mu_);
  CoordinatorCounts counts_ ABSL_GUARDED_BY(mu_);
  CheckpointControl checkpoints_ ABSL_GUARDED_BY(mu_);
  JobIntake intake_ ABSL_GUARDED_BY(mu_);
  AttemptControl attempts_ ABSL_GUARDED_BY(mu_);
  LogRetention retention_ ABSL_GUARDED_BY(mu_);
  LineIntake lines_ ABSL_GUARDED_BY(mu_);
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);
  std::atomic<bool> tick_wanted_ = true;
  absl::Time swept_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Time requests_swept_ = absl::InfinitePast();  // by ForgetOldRequests alone,
  std::string swept_requests_;                        // up to here, in its present sweep
  absl::Status store_status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
