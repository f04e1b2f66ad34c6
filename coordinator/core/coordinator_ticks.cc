// What the coordinator does by itself as time passes.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/jobs/dependencies.h"
#include "coordinator/core/jobs/job_retention.h"

namespace fpo::coordinator {
namespace {

constexpr absl::Duration kSweep = absl::Minutes(10);
constexpr size_t kJobsRemovedAtOnce = 50;                    // each waits for the disk
constexpr int32_t kRequestsLookedAtOnce = 2'000;             // a few milliseconds
constexpr absl::Duration kPrompt = absl::Milliseconds(500);  // a wait for lock and disk

}  // namespace

void Coordinator::Tick() {
  const absl::Time begin = steady_.Now();
  const absl::Status store_status = store_.Check(steady_.Now());
  ForgetOldRequests();
  absl::MutexLock lock(&mu_);
  const Moment now = Now();
  ExtendLeases(now.steady - begin, now.steady);
  tick_wanted_ = false;
  store_status_ = store_status.ok() ? jobs_.SettleDoubts(workers_.modes()) : store_status;
  attempts_.Tick(now);
  workers_.ForgetLost(now.steady, options_.forget_lost_after);
  Schedule(now);
  jobs_.NotifyLinesOfTerminalJobs();
  retention_.Tick(ages_.Now());
  AskForHeldLogs();
  if (now.steady - swept_ > kSweep) RemoveOldJobs(now);
}

// While this program waited for its disk it took no heartbeats. That time is not held against the
// workers.
void Coordinator::ExtendLeases(absl::Duration waited, absl::Time now) {
  if (waited < kPrompt) return;
  Log(LogLevel::kWarning, "the coordinator stood still; leases are extended by that time",
      {{"for", absl::FormatDuration(waited)}});
  leases_.Extend(waited, now);
}

void Coordinator::AskForHeldLogs() {
  if (!lines_.holds_logs() || !store_.TakesLogs().ok()) return;
  for (const auto& [worker, command] : lines_.TakeResends()) workers_.Send(worker, command);
}

std::vector<SlotOffer> Coordinator::Offers() const {
  return workers_.Offers(steady_.Now(), options_.unsatisfiable_after);
}

// Each call looks at a bounded number of requests; the rest follows at the next tick. The store is
// asked outside the lock: a week's requests are many, and nothing else depends on them.
void Coordinator::ForgetOldRequests() {
  const absl::Time now = steady_.Now();
  if (now - requests_swept_ <= kSweep) return;
  const absl::StatusOr<std::string> next = store_.ForgetRequestsBefore(
      ages_.Now() - options_.keep_requests, swept_requests_, kRequestsLookedAtOnce);
  if (!next.ok()) {
    Log(LogLevel::kWarning, absl::StrCat("removing old requests: ", next.status().message()));
  }
  swept_requests_ = next.value_or("");
  if (swept_requests_.empty()) requests_swept_ = now;
}

// So many at once; the rest follows at the next tick.
void Coordinator::RemoveOldJobs(const Moment& now) {
  const std::vector<std::string> old =
      JobsToRemove(jobs_, options_.keep_jobs, ages_.Now(), kJobsRemovedAtOnce);
  for (const std::string& job_id : old) {
    if (const absl::Status status = jobs_.Remove(job_id); !status.ok()) {
      Log(LogLevel::kWarning, absl::StrCat("removing old jobs: ", status.message()));
      swept_ = now.steady;
      return;
    }
    retention_.Forget(job_id);
    lines_.Forget(job_id);
  }
  if (old.size() < kJobsRemovedAtOnce) swept_ = now.steady;
}

void Coordinator::Schedule(const Moment& now) {
  if (guard_.AwaitsAgents(now.steady >= leases_.reattach_until())) return;
  FailHopelessHeldJobs(now.wall, &jobs_);
  const std::vector<JobPtr> queued = jobs_.Queued();
  const std::vector<JobPtr> with_attempt = jobs_.WithAttempt();
  SchedulerInput input;
  input.queued = WithDependenciesMet(queued, now.wall, &jobs_);
  for (const JobPtr& job : with_attempt) input.with_attempt.push_back(job.get());
  input.offers = Offers();
  input.files = &jobs_.files();
  if (provisioner_ != nullptr) {
    input.may_grow = [this](const Job& job) { return provisioner_->MayHold(job); };
  }
  SchedulePlan plan = scheduler_.Tick(input, now);
  for (const SchedulePlan::Placement& placement : plan.placements) {
    const absl::Status status = attempts_.Reserve(placement, now);
    if (!status.ok()) {
      Log(LogLevel::kError, absl::StrCat("reserving: ", status.message()),
          {{"job", placement.job_id}});
    }
  }
  if (provisioner_ != nullptr) AskForWorkers(&plan, now);
  for (const SchedulePlan::Waiting& wait : plan.waits) jobs_.SetReason(wait.job_id, wait.why);
  for (const SchedulePlan::Reason& unfit : plan.unsatisfiable) {
    (void)jobs_.ApplyEvent(unfit.job_id, Unsatisfiable{unfit.text}, now.wall);
  }
  for (const SchedulePlan::Reason& victim : plan.preemptions) {
    (void)attempts_.Change(victim.job_id, Preempt{options_.checkpoint_grace, victim.text}, now);
  }
}

// For the jobs that wait for nothing but slots. What was asked for is said with why they wait.
void Coordinator::AskForWorkers(SchedulePlan* plan, const Moment& now) {
  std::vector<JobPtr> held;
  std::vector<const Job*> waiting;
  for (const SchedulePlan::Waiting& wait : plan->waits) {
    const Standing standing = wait.why.standing;
    if (standing != Standing::kNoWorkerFits && standing != Standing::kWaitingForSlots &&
        standing != Standing::kLowerPriority) {
      continue;
    }
    JobPtr job = jobs_.Get(wait.job_id);
    if (job == nullptr || job->state != JobState::kQueued) continue;
    waiting.push_back(job.get());
    held.push_back(std::move(job));
  }
  const std::map<std::string, std::string> notes = provisioner_->Tick(waiting, Offers(), now);
  for (SchedulePlan::Waiting& wait : plan->waits) {
    const auto note = notes.find(wait.job_id);
    if (note != notes.end()) absl::StrAppend(&wait.why.text, "; ", note->second);
  }
}

void Coordinator::Flush() {
  std::vector<std::pair<std::string, AckCommand>> acks;
  uint64_t lines_revision = 0;
  {
    absl::MutexLock lock(&mu_);
    acks = lines_.TakeAcks();
    lines_revision = jobs_.lines_revision();
  }
  if (acks.empty()) return;
  const absl::Status synced = store_.Sync();
  absl::MutexLock lock(&mu_);
  if (!synced.ok()) {
    lines_.ReturnAcks(std::move(acks));
    Log(LogLevel::kError, absl::StrCat("logs and events are not durable yet: ", synced.message()));
    return;
  }
  jobs_.LinesAreDurable(lines_revision);
  for (const auto& [worker, ack] : acks) workers_.Send(worker, ack);
}

}  // namespace fpo::coordinator
