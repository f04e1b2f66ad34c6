#include "coordinator/core/coordinator.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "common/text/utf8.h"
#include "coordinator/core/jobs/submission.h"
#include "coordinator/core/lines/progress_tracker.h"

namespace fpo::coordinator {
namespace {

bool HasWork(const ParsedBatch& batch) {
  for (const TrainEvent& event : batch.events) {
    if (ShowsWork(event)) return true;
  }
  return false;
}

}  // namespace

Coordinator::Coordinator(const CoordinatorOptions& options, const Dependencies& dependencies)
    : options_(options),
      store_(*dependencies.store),
      wall_(*dependencies.wall),
      steady_(*dependencies.steady),
      provisioner_(dependencies.provisioner),
      ages_(wall_, steady_),
      metrics_(dependencies.store, dependencies.steady),
      jobs_(dependencies.store, options.on_job_end),
      guard_(&jobs_, &counts_),
      leases_(options.lease, dependencies.steady->Now() + options.reattach),
      checkpoints_(&jobs_, &workers_),
      intake_({options.owner_jobs_max, options.config_bytes_max, OwnerLimits(options.owner_limits),
               options.traces},
              dependencies.store, &jobs_, &counts_),
      attempts_(options, {&jobs_, &workers_, &leases_, &counts_}),
      retention_(options.logs, dependencies.store, &jobs_),
      lines_(dependencies.store, &jobs_, &retention_),
      scheduler_({options.unsatisfiable_after, options.quotas, options.elastic}) {}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Open(const CoordinatorOptions& options,
                                                               const Dependencies& dependencies) {
  std::unique_ptr<Coordinator> coordinator(new Coordinator(options, dependencies));
  absl::MutexLock lock(&coordinator->mu_);
  FPO_RETURN_IF_ERROR(coordinator->jobs_.Load());
  FPO_RETURN_IF_ERROR(coordinator->retention_.Load());
  FPO_ASSIGN_OR_RETURN(const auto modes, dependencies.store->LoadWorkerModes());
  for (const auto& [worker, mode] : modes) coordinator->workers_.SetMode(worker, mode);
  coordinator->attempts_.ExpectWorkers(coordinator->Now());
  return coordinator;
}

absl::StatusOr<SubmitResult> Coordinator::Submit(const SubmitRequest& request) {
  absl::MutexLock lock(&mu_);
  tick_wanted_ = true;
  FPO_ASSIGN_OR_RETURN(SubmitResult answer, intake_.Submit(request, wall_.Now()));
  const JobPtr earlier = jobs_.NewestCacheUser(answer.job->demand.data_key);
  if (earlier == nullptr) return answer;
  const absl::StatusOr<JobPtr> full = jobs_.WithConfig(answer.job);
  if (full.ok()) answer.records = RecordsSince(earlier, **full);
  return answer;
}

absl::StatusOr<SubmitResult> Coordinator::Retry(const RetryRequest& request) {
  absl::MutexLock lock(&mu_);
  tick_wanted_ = true;
  return intake_.Retry(request, wall_.Now());
}

absl::StatusOr<Preview> Coordinator::Validate(const SubmitRequest& request) const {
  FPO_ASSIGN_OR_RETURN(Submission submission, CheckSubmission(request.config_json));
  submission.job.owner = request.owner;
  absl::MutexLock lock(&mu_);
  FPO_ASSIGN_OR_RETURN(submission.job.after_ok,
                       intake_.Dependencies(request.after_ok, request.owner, true));
  FPO_ASSIGN_OR_RETURN(submission.job.after_end,
                       intake_.Dependencies(request.after_end, request.owner, false));
  FPO_RETURN_IF_ERROR(jobs_.CheckOutputIsFree(submission.job));
  if (request.limited) FPO_RETURN_IF_ERROR(intake_.CheckLimits(submission.job));
  const auto near = jobs_.files().find(submission.job.demand.data_key);
  PreviewSnapshot snapshot{jobs_.WithAttempt(),
                           jobs_.Queued(),
                           Offers(),
                           &options_.quotas,
                           &jobs_.run_times(),
                           near == jobs_.files().end() ? nullptr : &near->second,
                           jobs_.NewestCacheUser(submission.job.demand.data_key),
                           FindIn(jobs_),
                           wall_.Now()};
  Preview preview = PreviewJob(submission.job, snapshot);
  preview.warnings = std::move(submission.warnings);
  return preview;
}

absl::StatusOr<JobPtr> Coordinator::GetJob(const std::string& job_ref,
                                           const std::string& owner) const {
  absl::MutexLock lock(&mu_);
  return jobs_.Find(job_ref, owner);
}

absl::StatusOr<std::string> Coordinator::ReadConfig(const std::string& job_id) const {
  return store_.LoadConfig(job_id);
}

JobPage Coordinator::ListJobs(const JobFilter& filter) const {
  absl::MutexLock lock(&mu_);
  return jobs_.List(filter);
}

uint64_t Coordinator::revision() const {
  absl::MutexLock lock(&mu_);
  return jobs_.revision();
}

JobsToTell Coordinator::JobsToTellAfter(uint64_t revision, size_t jobs_max) const {
  absl::MutexLock lock(&mu_);
  return jobs_.ToTellAfter(revision, jobs_max);
}

absl::StatusOr<JobPtr> Coordinator::Cancel(const std::string& job_ref,
                                           std::optional<absl::Duration> grace) {
  absl::MutexLock lock(&mu_);
  FPO_ASSIGN_OR_RETURN(const JobPtr job, jobs_.Find(job_ref));
  if (job->state == JobState::kCancelled) return job;
  tick_wanted_ = true;
  return attempts_.Change(job->job_id, CancelRequest{grace.value_or(options_.cancel_grace)}, Now());
}

absl::StatusOr<JobPtr> Coordinator::Change(const std::string& job_ref, const JobEvent& event) {
  absl::MutexLock lock(&mu_);
  FPO_ASSIGN_OR_RETURN(const JobPtr job, jobs_.Find(job_ref));
  tick_wanted_ = true;
  return attempts_.Change(job->job_id, event, Now());
}

absl::StatusOr<Explanation> Coordinator::Explain(const std::string& job_ref) const {
  absl::MutexLock lock(&mu_);
  FPO_ASSIGN_OR_RETURN(const JobPtr job, jobs_.Find(job_ref));
  ExplainSnapshot snapshot;
  snapshot.workers = workers_.List(steady_.Now());
  snapshot.now = wall_.Now();
  if (job->state == JobState::kQueued) snapshot.ahead = ReadyBefore(*job, jobs_);
  for (const auto* ids : {&job->after_ok, &job->after_end}) {
    for (const std::string& id : *ids) {
      if (JobPtr other = jobs_.Get(id)) snapshot.dependencies.push_back(std::move(other));
    }
  }
  if (provisioner_ != nullptr && job->state == JobState::kQueued) {
    snapshot.asked = provisioner_->Describe(job->job_id, snapshot.now);
  }
  return ExplainJob(*job, snapshot);
}

QueueView Coordinator::Queue() const {
  absl::MutexLock lock(&mu_);
  return ForecastQueue({jobs_.WithAttempt(), jobs_.Queued(), Offers(), &jobs_.run_times(),
                        FindIn(jobs_), wall_.Now()});
}

absl::StatusOr<Checkpoint> Coordinator::PinCheckpoint(const std::string& job_ref, int64_t step,
                                                      bool pinned) {
  absl::MutexLock lock(&mu_);
  return checkpoints_.Pin(job_ref, step, pinned);
}

absl::StatusOr<std::vector<RetentionDecision>> Coordinator::GcCheckpoints(
    const std::string& job_ref, bool dry_run) {
  absl::MutexLock lock(&mu_);
  return checkpoints_.Gc(job_ref, dry_run);
}

absl::StatusOr<std::string> Coordinator::ServeArtifact(const ArtifactRequest& request,
                                                       const std::string& transfer_id) {
  absl::MutexLock lock(&mu_);
  FPO_ASSIGN_OR_RETURN(const JobPtr job, jobs_.Find(request.job));
  FPO_ASSIGN_OR_RETURN(const ArtifactPlace place, PlaceOf(*job, request.step, workers_));
  const ServeArtifactCommand command = OrderFor(*job, place, request, transfer_id);
  if (!workers_.Send(place.worker, command)) return NoHolder(*job, "the files");
  return place.worker;
}

absl::StatusOr<WorkerView> Coordinator::SetWorkerMode(const std::string& worker_id,
                                                      const WorkerMode& mode) {
  absl::MutexLock lock(&mu_);
  if (!workers_.Find(worker_id)) return NoSuchWorker(worker_id);
  FPO_RETURN_IF_ERROR(store_.PutWorkerMode(worker_id, mode));
  workers_.SetMode(worker_id, mode);
  tick_wanted_ = true;
  return *workers_.View(worker_id, steady_.Now());
}

absl::StatusOr<WorkerView> Coordinator::ForgetWorker(const std::string& worker_id) {
  absl::MutexLock lock(&mu_);
  const absl::Time now = steady_.Now();
  const absl::Duration lease = leases_.Expiry(worker_id).value_or(now) - now;
  FPO_ASSIGN_OR_RETURN(WorkerView view, workers_.Forgettable(worker_id, lease, now));
  FPO_RETURN_IF_ERROR(store_.PutWorkerMode(worker_id, {}));
  workers_.Forget(worker_id);
  tick_wanted_ = true;
  return view;
}

// Lines are read outside the lock: the store synchronises itself and lines never change.
absl::StatusOr<LogPage> Coordinator::ReadLogs(const std::string& job_id,
                                              const LogQuery& query) const {
  return store_.ReadLogs(job_id, query);
}

absl::StatusOr<LogTail> Coordinator::FindTail(const std::string& job_id, const LogQuery& query,
                                              const LogTail& tail) const {
  return store_.FindTail(job_id, query, tail);
}

absl::StatusOr<std::vector<EventLine>> Coordinator::ReadEvents(const std::string& job_id,
                                                               uint64_t after,
                                                               int32_t limit) const {
  return store_.ReadEvents(job_id, after, limit);
}

std::vector<WorkerView> Coordinator::ListWorkers() const {
  absl::MutexLock lock(&mu_);
  return workers_.List(steady_.Now());
}

absl::StatusOr<WatchId> Coordinator::Watch(const std::string& job_id, JobWatch watch) {
  absl::MutexLock lock(&mu_);
  FPO_ASSIGN_OR_RETURN(const JobPtr job, jobs_.Find(job_id));
  watch.on_job(job);
  return jobs_.Watch(job->job_id, std::move(watch));
}

void Coordinator::Unwatch(const std::string& job_id, WatchId id) {
  absl::MutexLock lock(&mu_);
  jobs_.Unwatch(job_id, id);
}

absl::Status Coordinator::Connect(const WorkerHello& hello, std::shared_ptr<WorkerLink> link) {
  FPO_RETURN_IF_ERROR(CheckHello(hello));
  absl::MutexLock lock(&mu_);
  tick_wanted_ = true;
  FPO_RETURN_IF_ERROR(guard_.Check(hello));
  FPO_RETURN_IF_ERROR(attempts_.OnHello(hello, std::move(link), Now()));
  Log(LogLevel::kInfo, "a worker connected",
      {{"worker", hello.worker_id},
       {"instance", hello.instance_id},
       {"slots", absl::StrCat(hello.slots)},
       {"running", absl::StrCat(hello.running.size())}});
  return absl::OkStatus();
}

void Coordinator::Disconnect(const std::string& worker_id, const WorkerLink* link) {
  absl::MutexLock lock(&mu_);
  if (!workers_.Disconnect(worker_id, link, steady_.Now())) return;
  tick_wanted_ = true;
  Log(LogLevel::kWarning, "a worker's connection ended; its jobs continue until the lease runs out",
      {{"worker", worker_id}});
}

void Coordinator::Heartbeat(const std::string& worker_id, WorkerLink* link, uint64_t seq) {
  absl::MutexLock lock(&mu_);
  const Moment now = Now();
  if (!workers_.Heartbeat(worker_id, link, now)) return;
  leases_.Renew(worker_id, now.steady);
  link->Send(HeartbeatAckCommand{seq, jobs_.mark().revision});
}

void Coordinator::Leave(const std::string& worker_id, WorkerLink* link, const std::string& why) {
  absl::MutexLock lock(&mu_);
  if (!attempts_.OnLeaving(worker_id, link)) return;
  tick_wanted_ = true;
  Log(LogLevel::kInfo, "a worker left", {{"worker", worker_id}, {"why", ShortText(why)}});
}

void Coordinator::CloseWorker(const std::string& worker_id, const std::string& why) {
  const std::string shown = ShortText(why);
  absl::MutexLock lock(&mu_);
  Log(LogLevel::kWarning, "a worker closes itself", {{"worker", worker_id}, {"why", shown}});
  // keep what an operator set
  if (workers_.ModeOf(worker_id).kind != WorkerMode::Kind::kOpen) return;
  workers_.SetMode(worker_id, {WorkerMode::Kind::kDraining, shown, /*automatic=*/true});
  tick_wanted_ = true;
}

void Coordinator::Report(MemberReport report) {
  report.message = ShortText(std::move(report.message));
  absl::MutexLock lock(&mu_);
  attempts_.OnReport(report, Now());
  tick_wanted_ = true;
}

absl::Status Coordinator::AddEvents(const std::string& worker, const EventBatch& batch) {
  const ParsedBatch parsed(batch);
  const bool has_work = HasWork(parsed);
  absl::MutexLock lock(&mu_);
  const Moment now = Now();
  if (has_work) attempts_.OnWork(batch.attempt, worker, now);
  const absl::Status status = lines_.AddEvents(worker, parsed, now.wall);
  const LineIntake::Counts found = lines_.TakeCounts();
  counts_.fencing_rejections["checkpoint"] += found.stale;
  counts_.fencing_rejections["lines"] += found.strangers;
  counts_.checkpoint_corruptions += found.bad;
  return status;
}

absl::Status Coordinator::AddLogs(const std::string& worker, const LogBatch& batch) {
  absl::MutexLock lock(&mu_);
  return lines_.AddLogs(worker, batch);
}

absl::Status Coordinator::Ready() const {
  absl::MutexLock lock(&mu_);
  return store_status_.ok() ? guard_.TakesJobs() : store_status_;
}

void Coordinator::CloseSessions(const absl::Status& why) {
  absl::MutexLock lock(&mu_);
  workers_.CloseAll(why);
}

CoordinatorStats Coordinator::Collect() {
  absl::MutexLock lock(&mu_);
  CoordinatorStats stats;
  stats.counts = counts_;
  counts_.queue_waits_seconds.clear();
  stats.counts.log_removed_bytes = retention_.removed_bytes();
  stats.log_bytes = retention_.bytes();
  stats.jobs = jobs_.counts();
  stats.workers = workers_.List(steady_.Now());
  stats.with_attempt = jobs_.WithAttempt();
  return stats;
}

}  // namespace fpo::coordinator
