#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "server/core/attempt_control.h"
#include "server/core/coordinator_options.h"
#include "server/core/coordinator_stats.h"
#include "server/core/job_store.h"
#include "server/core/job_table.h"
#include "server/core/lease_table.h"
#include "server/core/line_intake.h"
#include "server/core/scheduler.h"
#include "server/core/worker_registry.h"

namespace fpo::coordinator {

struct SubmitAsk {
  std::string request_id;
  std::string config_json;
  std::string owner;
};
struct SubmitAnswer {
  JobPtr job;
  std::vector<std::string> warnings;
};

// The coordinator without its network: everything users and agents can ask, each answered from one
// lock. Thread-safe. Calls that change something wait for the disk, a few milliseconds.
class Coordinator {
 public:
  struct Parts {  // not owned, outlive the coordinator
    JobStore* store;
    const Clock* wall;
    const Clock* steady;  // monotonic, for leases
  };
  // Loads all jobs. Starts the reattach window.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Open(const CoordinatorOptions& options,
                                                           const Parts& parts);

  // Users. Job arguments are an id, a name or a unique prefix (JobTable::Find).

  // Durable before it returns. The same request_id with the same job gives the same job again;
  // with another job AlreadyExists (REQUEST_ID_REUSED).
  absl::StatusOr<SubmitAnswer> Submit(const SubmitAsk& ask);
  absl::StatusOr<JobPtr> GetJob(const std::string& words) const;
  JobPage ListJobs(const JobFilter& filter) const;
  uint64_t revision() const;
  // Immediate for a job that waits; else CANCELLING until its processes are gone. A job that ended
  // otherwise: FailedPrecondition.
  absl::StatusOr<JobPtr> Cancel(const std::string& words, bool kill_now);
  absl::StatusOr<std::vector<LogLine>> ReadLogs(const std::string& job_id,
                                                const LogQuery& query) const;
  absl::StatusOr<uint64_t> LogTail(const std::string& job_id, int32_t attempt, int32_t lines) const;
  absl::StatusOr<std::vector<EventLine>> ReadEvents(const std::string& job_id, uint64_t after,
                                                    int32_t limit) const;
  std::vector<WorkerView> ListWorkers() const;
  // Calls on_job with the job as it is before returning.
  absl::StatusOr<WatchId> Watch(const std::string& job_id, JobWatch watch);
  void Unwatch(const std::string& job_id, WatchId id);  // no call is running or comes afterwards

  // Agents.
  absl::Status Connect(const WorkerHello& hello, std::shared_ptr<WorkerLink> link);
  void Disconnect(const std::string& worker_id, const WorkerLink* link);
  void Beat(const std::string& worker_id, WorkerLink* link, uint64_t seq);
  void Report(const MemberReport& report, const std::optional<CacheUse>& cache);
  absl::Status AddEvents(const std::string& worker, const EventBatch& batch);
  absl::Status AddLogs(const std::string& worker, const LogBatch& batch);

  // Time.
  void Tick();            // leases, recoveries, scheduling; about once a second or after a change
  bool TakeTickWanted();  // something happened that scheduling should see at once
  void Flush();           // makes lines durable, then acknowledges them; every 200 ms
  absl::Status Ready() const;  // why no work is accepted
  void CloseSessions(const absl::Status& why);
  CoordinatorStats Collect();

 private:
  Coordinator(const CoordinatorOptions& options, const Parts& parts);
  Moment Now() const { return {wall_.Now(), steady_.Now()}; }
  void Schedule(const Moment& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<SubmitAnswer> Repeat(const SubmittedRequest& known, const std::string& digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const CoordinatorOptions options_;
  JobStore& store_;
  const Clock& wall_;
  const Clock& steady_;

  mutable absl::Mutex mu_;
  JobTable jobs_ ABSL_GUARDED_BY(mu_);
  WorkerRegistry workers_ ABSL_GUARDED_BY(mu_);
  LeaseTable leases_ ABSL_GUARDED_BY(mu_);
  CoordinatorCounts counts_ ABSL_GUARDED_BY(mu_);
  AttemptControl attempts_ ABSL_GUARDED_BY(mu_);
  LineIntake lines_ ABSL_GUARDED_BY(mu_);
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);
  bool tick_wanted_ ABSL_GUARDED_BY(mu_) = true;
  absl::Time requests_swept_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Status store_status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
