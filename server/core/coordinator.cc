#include "server/core/coordinator.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "server/core/progress_tracker.h"
#include "server/core/submission.h"

namespace fpo::coordinator {
namespace {

absl::Status MissingRequestId() {
  return WithErrorInfo(absl::InvalidArgumentError("the submit has no request_id"),
                       {.reason = "NO_REQUEST_ID",
                        .field = "request_id",
                        .hint = "make a UUID and repeat it with every retry"});
}

absl::Status RequestIdReused(const SubmittedRequest& known) {
  return WithErrorInfo(
      absl::AlreadyExistsError(absl::StrCat("request_id ", known.request_id,
                                            " was used for another job, ", known.job_id)),
      {.reason = "REQUEST_ID_REUSED",
       .field = "request_id",
       .hint = "make a new request_id for a new job",
       .ids = {known.job_id}});
}

bool HasWork(const EventBatch& batch) {
  for (const EventItem& item : batch.items) {
    if (ShowsWork(item.json)) return true;
  }
  return false;
}

}  // namespace

Coordinator::Coordinator(const CoordinatorOptions& options, const Parts& parts)
    : options_(options),
      store_(*parts.store),
      wall_(*parts.wall),
      steady_(*parts.steady),
      jobs_(parts.store),
      leases_(options.lease, parts.steady->Now() + options.reattach),
      attempts_(options, {&jobs_, &workers_, &leases_, &counts_}),
      lines_(parts.store, &jobs_),
      scheduler_({.unsatisfiable_after = options.unsatisfiable_after}) {}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Open(const CoordinatorOptions& options,
                                                               const Parts& parts) {
  std::unique_ptr<Coordinator> coordinator(new Coordinator(options, parts));
  absl::MutexLock lock(&coordinator->mu_);
  FPO_RETURN_IF_ERROR(coordinator->jobs_.Load());
  coordinator->attempts_.ExpectWorkers(coordinator->Now());
  return coordinator;
}

absl::StatusOr<SubmitAnswer> Coordinator::Submit(const SubmitAsk& ask) {
  absl::StatusOr<Submission> submission = CheckSubmission(ask.config_json);
  absl::MutexLock lock(&mu_);
  if (!submission.ok() || ask.request_id.empty()) {
    ++counts_.submissions["invalid"];
    return submission.ok() ? MissingRequestId() : submission.status();
  }
  Job& job = submission->job;
  job.owner = ask.owner;
  SubmittedRequest request;
  request.request_id = ask.request_id;
  request.digest = SubmissionDigest(job);
  FPO_ASSIGN_OR_RETURN(std::optional<SubmittedRequest> known, store_.FindRequest(ask.request_id));
  if (known) {
    FPO_ASSIGN_OR_RETURN(SubmitAnswer answer, Repeat(*known, request.digest));
    answer.warnings = std::move(submission->warnings);
    return answer;
  }
  absl::StatusOr<JobPtr> created = jobs_.Create(std::move(job), std::move(request), wall_.Now());
  ++counts_.submissions[created.ok() ? "created" : "failed"];
  if (!created.ok()) return created.status();
  tick_wanted_ = true;
  return SubmitAnswer{*created, std::move(submission->warnings)};
}

absl::StatusOr<SubmitAnswer> Coordinator::Repeat(const SubmittedRequest& known,
                                                 const std::string& digest) {
  ++counts_.submissions[known.digest == digest ? "repeated" : "invalid"];
  if (known.digest != digest) return RequestIdReused(known);
  JobPtr job = jobs_.Get(known.job_id);
  if (!job) {
    return absl::DataLossError(absl::StrCat("request ", known.request_id, " made job ",
                                            known.job_id, ", which is not in the store"));
  }
  return SubmitAnswer{std::move(job), {}};
}

absl::StatusOr<JobPtr> Coordinator::GetJob(const std::string& words) const {
  absl::MutexLock lock(&mu_);
  return jobs_.Find(words);
}

JobPage Coordinator::ListJobs(const JobFilter& filter) const {
  absl::MutexLock lock(&mu_);
  return jobs_.List(filter);
}

uint64_t Coordinator::revision() const {
  absl::MutexLock lock(&mu_);
  return jobs_.revision();
}

absl::StatusOr<JobPtr> Coordinator::Cancel(const std::string& words, bool kill_now) {
  absl::MutexLock lock(&mu_);
  FPO_ASSIGN_OR_RETURN(const JobPtr job, jobs_.Find(words));
  if (job->state == JobState::kCancelled) return job;
  tick_wanted_ = true;
  return attempts_.Cancel(job->job_id, kill_now, Now());
}

// Lines are read past the lock: the store synchronises itself and lines never change.
absl::StatusOr<std::vector<LogLine>> Coordinator::ReadLogs(const std::string& job_id,
                                                           const LogQuery& query) const {
  return store_.ReadLogs(job_id, query);
}

absl::StatusOr<uint64_t> Coordinator::LogTail(const std::string& job_id, int32_t attempt,
                                              int32_t lines) const {
  return store_.TailCursor(job_id, attempt, lines);
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
  if (hello.worker_id.empty() || hello.instance_id.empty() || hello.slots < 1) {
    return WithErrorInfo(
        absl::InvalidArgumentError(absl::StrCat("hello of worker \"", hello.worker_id,
                                                "\", instance \"", hello.instance_id, "\" with ",
                                                hello.slots, " slots: all three are needed")),
        {.reason = "BAD_HELLO"});
  }
  absl::MutexLock lock(&mu_);
  tick_wanted_ = true;
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
  if (!workers_.Disconnect(worker_id, link)) return;
  tick_wanted_ = true;
  Log(LogLevel::kWarning, "a worker's connection ended; its jobs go on until the lease runs out",
      {{"worker", worker_id}});
}

void Coordinator::Beat(const std::string& worker_id, WorkerLink* link, uint64_t seq) {
  absl::MutexLock lock(&mu_);
  const Moment now = Now();
  if (!workers_.Beat(worker_id, link, now)) return;
  leases_.Renew(worker_id, now.steady);
  link->Send(BeatAckCommand{seq});
}

void Coordinator::Report(const MemberReport& report, const std::optional<CacheUse>& cache) {
  absl::MutexLock lock(&mu_);
  attempts_.OnReport(report, cache, Now());
  tick_wanted_ = true;
}

absl::Status Coordinator::AddEvents(const std::string& worker, const EventBatch& batch) {
  absl::MutexLock lock(&mu_);
  const Moment now = Now();
  if (HasWork(batch)) attempts_.OnWork(batch.ref, worker, now);
  return lines_.AddEvents(worker, batch, now.wall);
}

absl::Status Coordinator::AddLogs(const std::string& worker, const LogBatch& batch) {
  absl::MutexLock lock(&mu_);
  return lines_.AddLogs(worker, batch);
}

void Coordinator::Tick() {
  const absl::Status store_status = store_.Check(wall_.Now());
  absl::MutexLock lock(&mu_);
  const Moment now = Now();
  tick_wanted_ = false;
  store_status_ = store_status;
  attempts_.Tick(now);
  workers_.ForgetLost(now.steady, options_.forget_lost_after);
  Schedule(now);
  jobs_.NotifyLinesOfTerminalJobs();
  if (now.wall - requests_swept_ > absl::Hours(1)) {
    requests_swept_ = now.wall;
    const absl::Status swept = store_.ForgetRequestsBefore(now.wall - options_.keep_requests);
    if (!swept.ok()) Log(LogLevel::kWarning, absl::StrCat("old requests: ", swept.message()));
  }
}

void Coordinator::Schedule(const Moment& now) {
  const std::vector<JobPtr> queued = jobs_.Queued();
  std::vector<const Job*> jobs;
  jobs.reserve(queued.size());
  for (const JobPtr& job : queued) jobs.push_back(job.get());
  const SchedulePlan plan = scheduler_.Tick(jobs, workers_.Offers(), now);
  for (const SchedulePlan::Placement& placement : plan.placements) {
    const absl::Status status = attempts_.Reserve(placement, now);
    if (!status.ok()) {
      Log(LogLevel::kError, absl::StrCat("reserving: ", status.message()),
          {{"job", placement.job_id}});
    }
  }
  for (const SchedulePlan::Reason& wait : plan.waits) jobs_.SetReason(wait.job_id, wait.text);
  for (const SchedulePlan::Reason& unfit : plan.unsatisfiable) {
    (void)jobs_.ApplyEvent(unfit.job_id, Unsatisfiable{unfit.text}, now.wall);
  }
}

bool Coordinator::TakeTickWanted() {
  absl::MutexLock lock(&mu_);
  return std::exchange(tick_wanted_, false);
}

void Coordinator::Flush() {
  std::vector<std::pair<std::string, AckCommand>> acks;
  {
    absl::MutexLock lock(&mu_);
    acks = lines_.TakeAcks();
  }
  if (acks.empty()) return;
  const absl::Status synced = store_.Sync();
  absl::MutexLock lock(&mu_);
  if (!synced.ok()) {
    lines_.ReturnAcks(std::move(acks));
    Log(LogLevel::kError, absl::StrCat("logs and events are not durable yet: ", synced.message()));
    return;
  }
  for (const auto& [worker, ack] : acks) workers_.Send(worker, ack);
}

absl::Status Coordinator::Ready() const {
  absl::MutexLock lock(&mu_);
  return store_status_;
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
  stats.jobs = jobs_.counts();
  stats.workers = workers_.List(steady_.Now());
  stats.with_attempt = jobs_.WithAttempt();
  return stats;
}

}  // namespace fpo::coordinator
