#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/core/coordinator_options.h"
#include "coordinator/core/coordinator_stats.h"
#include "coordinator/core/jobs/job_table.h"
#include "coordinator/core/moment.h"
#include "coordinator/core/scheduling/scheduler.h"
#include "coordinator/core/workers/lease_table.h"
#include "coordinator/core/workers/worker_registry.h"

namespace fpo::coordinator {

// Turns reports of workers, and their silence, into events of the state table, and the resulting
// states into commands to workers. An attempt is replaced only when its workers reported its end,
// when a lease ran out and the epoch advanced, or when its agent came back as a new process that
// does not run it. Not thread-safe: the coordinator's lock guards it.
class AttemptControl {
 public:
  struct Dependencies {  // not owned
    JobTable* jobs;
    WorkerRegistry* workers;
    LeaseTable* leases;
    CoordinatorCounts* counts;
  };
  AttemptControl(const CoordinatorOptions& options, const Dependencies& dependencies)
      : options_(options),
        jobs_(dependencies.jobs),
        workers_(dependencies.workers),
        leases_(dependencies.leases),
        counts_(dependencies.counts) {}

  // Workers of loaded attempts get a lease until the end of the reattach window.
  void ExpectWorkers(const Moment& now);
  // Sends Welcome through `link`, then what the worker missed. Errors: MayTakeName.
  absl::Status OnHello(const WorkerHello& hello, std::shared_ptr<WorkerLink> link,
                       const Moment& now);
  // Lets a worker go that asked to leave, and has no part in any attempt. False: it stays.
  bool OnLeaving(const std::string& worker, WorkerLink* link);
  void OnReport(const MemberReport& report, const Moment& now);
  // An event of the attempt showed that it is working.
  void OnWork(const AttemptRef& ref, const std::string& worker, const Moment& now);
  // Requests of a user or the scheduler (CancelRequest to Preempt); processes that must stop are
  // told to.
  absl::StatusOr<JobPtr> Change(const std::string& job_id, const JobEvent& event,
                                const Moment& now);
  absl::Status Reserve(const SchedulePlan::Placement& placement, const Moment& now);
  // Expired leases, overdue reservations, finished recoveries, changes not yet stored.
  void Tick(const Moment& now);

 private:
  using WorkerAttempt = std::pair<std::string, AttemptRef>;

  absl::StatusOr<JobPtr> ApplyEvent(const std::string& job_id, const JobEvent& event,
                                    const Moment& now);
  // A rejection by the state table is final; a change that cannot be stored is retried at each
  // tick.
  absl::Status ApplyOrRetry(const std::string& job_id, const JobEvent& event, const Moment& now);
  void Follow(const Job& before, const Job& after, const Moment& now);
  void StopMembers(const Job& job, absl::Duration grace, const std::string& why, const Moment& now);
  void Assign(const Job& job, const std::string& config_json, const Member& member);
  absl::Status CheckName(const WorkerHello& hello, const Moment& now);
  bool CanAdopt(const WorkerHello& hello, const AttemptRef& ref) const;
  void Welcome(const WorkerHello& hello, WorkerLink* link, const Moment& now);
  void AfterAdoption(const WorkerHello& hello, const AttemptRef& ref, const Moment& now);
  void FindMissing(const WorkerHello& hello, const Moment& now);
  void MarkLost(const std::string& worker, const std::string& why, const Moment& now);
  void TakeExpiredLeases(const Moment& now);
  void MarkUnreportedLost(const Moment& now);
  // By the steady clock; from when this was first seen, after a restart.
  absl::Duration TimeInState(const Job& job, const Moment& now);
  void ResolveStops(const Moment& now);
  // Jobs on draining workers stop there and are queued again.
  void DrainWorkers(const Moment& now);
  // Processes not confirmed dead may still be there, so the worker gets no new ones.
  void CloseUnconfirmed(const Job& job);
  void KeepCacheUse(const MemberReport& report, const CacheUse& cache);

  const CoordinatorOptions options_;
  JobTable* const jobs_;
  WorkerRegistry* const workers_;
  LeaseTable* const leases_;
  CoordinatorCounts* const counts_;
  // A reconnected agent did not name these; until then it may report how they ended.
  std::map<WorkerAttempt, absl::Time> unreported_;
  struct Entered {
    absl::Time state_since = absl::InfinitePast();  // of the job
    absl::Time steady = absl::InfinitePast();       // when it was seen to be in that state
  };
  std::map<std::string, Entered> entered_;  // jobs with an attempt
  // Events that happened but could not be stored: a full disk must not lose them.
  std::vector<std::pair<std::string, JobEvent>> unstored_;
};

}  // namespace fpo::coordinator
