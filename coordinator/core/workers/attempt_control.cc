#include "coordinator/core/workers/attempt_control.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "coordinator/core/scheduling/elastic_slots.h"
#include "coordinator/core/traces/job_spans.h"
#include "coordinator/core/workers/name_claim.h"
#include "coordinator/core/workers/rendezvous_port.h"

namespace fpo::coordinator {
namespace {

bool EndsMember(ReportStatus status) {
  return status == ReportStatus::kRefused || status == ReportStatus::kSucceeded ||
         status == ReportStatus::kFailed || status == ReportStatus::kStopped;
}

// The state table rejected it; any other error means that the change could not be stored.
bool IsRuling(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  return reason == ErrorReason::kJobTerminal || reason == ErrorReason::kStaleEpoch ||
         reason == ErrorReason::kIllegalTransition || reason == ErrorReason::kJobNotFound;
}

MemberReport ReportOf(const AttemptRef& ref, const std::string& worker, ReportStatus status) {
  MemberReport report;
  report.attempt = ref;
  report.worker = worker;
  report.status = status;
  return report;
}

std::string StopReason(const Job& job) {
  switch (job.state) {
    case JobState::kPausing:
      return "paused on request";
    case JobState::kPreempting:
      return job.reason;
    default:
      return "cancelled on request";
  }
}

// Why a member of an attempt is lost when another process has taken its worker's name.
std::string DescribeSuccession(const Member& member, const WorkerHello& hello) {
  const bool same = member.home.empty() || hello.home_id.empty() || member.home == hello.home_id;
  if (same) return "its agent was restarted";
  return absl::StrCat("it was lost, and an agent on ", hello.host, " (work dir ", hello.work_dir,
                      ") has its name now");
}

void LogChange(const Job& before, const Job& after) {
  const std::string change = absl::StrCat(Name(before.state), " -> ", Name(after.state));
  const std::string epoch = absl::StrCat(after.epoch);
  if (after.trace.trace_id.empty()) {
    Log(LogLevel::kInfo, change,
        {{"job", after.job_id}, {"reason", after.reason}, {"epoch", epoch}});
  } else {
    Log(LogLevel::kInfo, change,
        {{"job", after.job_id},
         {"reason", after.reason},
         {"epoch", epoch},
         {"trace_id", after.trace.trace_id}});
  }
}

constexpr size_t kUnstoredMax = 4096;
constexpr size_t kQueueWaitsMax = 10'000;  // without scrapes samples are dropped

}  // namespace

void AttemptControl::ExpectWorkers(const Moment& now) {
  for (const JobPtr& job : jobs_->WithAttempt()) {
    for (const Member& member : job->attempts.back().members) {
      if (!member.ended()) leases_->Renew(member.worker, now.steady);
    }
  }
}

absl::StatusOr<JobPtr> AttemptControl::ApplyEvent(const std::string& job_id, const JobEvent& event,
                                                  const Moment& now) {
  const JobPtr before = jobs_->Get(job_id);
  FPO_ASSIGN_OR_RETURN(JobPtr after, jobs_->ApplyEvent(job_id, event, now.wall));
  if (after != before) Follow(*before, *after, now);
  return after;
}

absl::Status AttemptControl::ApplyOrRetry(const std::string& job_id, const JobEvent& event,
                                          const Moment& now) {
  const absl::Status status = ApplyEvent(job_id, event, now).status();
  if (status.ok() || IsRuling(status)) return status;
  Log(LogLevel::kError,
      absl::StrCat("a change of state is not stored, trying again: ", status.message()),
      {{"job", job_id}});
  // What the oldest event was about is found again when leases and reservations run out.
  if (unstored_.size() == kUnstoredMax) unstored_.erase(unstored_.begin());
  unstored_.emplace_back(job_id, event);
  return status;
}

// Commands and counts that follow from a change of state.
void AttemptControl::Follow(const Job& before, const Job& after, const Moment& now) {
  const Attempt* attempt = after.last_attempt();
  const bool same_attempt = before.attempts.size() == after.attempts.size();
  if (attempt != nullptr && same_attempt && attempt->ended && !before.attempts.back().ended) {
    ++counts_->attempts[std::string(Name(attempt->end_class))];
  }
  if (IsStopping(after.state) && !attempt->AllEnded() &&
      (before.state != after.state || before.stop_by != after.stop_by)) {
    StopMembers(after, std::max(after.stop_by - now.wall, absl::ZeroDuration()), StopReason(after),
                now);
  }
  if (HasAttempt(after.state)) (void)TimeInState(after, now);
  if (before.state == after.state) return;
  LogChange(before, after);
  if (after.state == JobState::kRecovering) {
    StopMembers(after, absl::ZeroDuration(), after.reason, now);
  } else if (before.state == JobState::kReserved && after.state == JobState::kQueued) {
    StopMembers(after, absl::ZeroDuration(), "the reservation failed", now);
  }
}

void AttemptControl::StopMembers(const Job& job, absl::Duration grace, const std::string& why,
                                 const Moment& now) {
  const AttemptRef ref = LastAttemptRef(job);
  for (const Member& member : job.attempts.back().members) {
    if (member.ended()) continue;
    workers_->Send(member.worker, StopCommand{.attempt = ref, .grace = grace, .reason = why});
    workers_->ReleaseBy(member.worker, ref, now.steady + grace + kFenceWait);
  }
}

void AttemptControl::Assign(const Job& job, const std::string& config_json, const Member& member) {
  const Attempt& attempt = job.attempts.back();
  AssignCommand command;
  command.attempt = LastAttemptRef(job);
  command.config_json = config_json;
  command.owner = job.owner;
  command.traceparent = AttemptTraceparent(job);
  command.slots = member.slots;
  command.first_rank = member.first_rank;
  command.world_size = HeldSlots(job);
  command.resume = attempt.number > 1 || !job.retry_of.empty();
  // A retry may return to an older checkpoint; later attempts continue from what this one wrote.
  if (attempt.number == 1) command.discard_after_step = job.checkpoint_step;
  if (command.world_size > 1) {
    const std::optional<WorkerHello> first = workers_->Find(attempt.members.front().worker);
    const bool alone = attempt.members.size() == 1 || !first || first->host.empty();
    command.store_address =
        absl::StrCat(alone ? "127.0.0.1" : first->host, ":", attempt.rendezvous_port);
  }
  workers_->Send(member.worker, command);
}

absl::Status AttemptControl::Reserve(const SchedulePlan::Placement& placement, const Moment& now) {
  const JobPtr before = jobs_->Get(placement.job_id);
  coordinator::Reserve reserve{placement.members};
  int32_t slots = 0;
  for (const Member& member : placement.members) slots += member.slots;
  if (slots > 1) {
    FPO_ASSIGN_OR_RETURN(reserve.rendezvous_port,
                         FreeRendezvousPort(*before, jobs_->WithAttempt()));
  }
  FPO_ASSIGN_OR_RETURN(const JobPtr full, jobs_->WithConfig(before));
  FPO_ASSIGN_OR_RETURN(JobPtr job, ApplyEvent(placement.job_id, reserve, now));
  const absl::Time waited_since = std::max(before->state_since, before->not_before);
  if (counts_->queue_waits_seconds.size() < kQueueWaitsMax) {
    counts_->queue_waits_seconds.push_back(
        std::max(0.0, absl::ToDoubleSeconds(now.wall - waited_since)));
  }
  for (const Member& member : job->attempts.back().members) {
    workers_->Hold(member.worker, LastAttemptRef(*job), member.slots);
    Assign(*job, full->config_json, member);
  }
  return absl::OkStatus();
}

absl::StatusOr<JobPtr> AttemptControl::Change(const std::string& job_id, const JobEvent& event,
                                              const Moment& now) {
  return ApplyEvent(job_id, event, now);
}

bool AttemptControl::CanAdopt(const WorkerHello& hello, const AttemptRef& ref) const {
  const JobPtr job = jobs_->Get(ref.job_id);
  if (!job || !IsCurrent(*job, ref)) return false;
  if (!IsActive(job->state) && !IsStopping(job->state)) return false;
  const Member* member = job->attempts.back().Find(hello.worker_id);
  return member != nullptr && !member->ended() && member->instance == hello.instance_id;
}

absl::Status AttemptControl::CheckName(const WorkerHello& hello, const Moment& now) {
  NameDispute dispute{{}, options_.heartbeat, absl::ZeroDuration(), now.steady};
  std::optional<NameHolder> holder = workers_->HolderFor(hello);
  for (const JobPtr& job : jobs_->WithAttempt()) {
    const Member* member = job->attempts.back().Find(hello.worker_id);
    if (member == nullptr || member->ended() || member->instance == hello.instance_id) continue;
    const std::optional<absl::Time> expiry = leases_->Expiry(hello.worker_id);
    if (expiry) dispute.lease = std::max(dispute.lease, *expiry - now.steady);
    if (holder) continue;
    // After a restart of the coordinator nothing else is known about it.
    holder.emplace();
    holder->hello.worker_id = member->worker;
    holder->hello.instance_id = member->instance;
    holder->hello.home_id = member->home;
    holder->hello.boot_id = hello.boot_id;
    holder->last_heartbeat = absl::InfinitePast();
  }
  if (!holder) return absl::OkStatus();
  dispute.holder = *std::move(holder);
  const absl::Status status = MayTakeName(hello, dispute);
  if (absl::IsUnavailable(status)) workers_->NoteAsked(hello, now.steady);
  return status;
}

absl::Status AttemptControl::OnHello(const WorkerHello& hello, std::shared_ptr<WorkerLink> link,
                                     const Moment& now) {
  WorkerLink* const session = link.get();
  FPO_RETURN_IF_ERROR(CheckName(hello, now));
  workers_->Connect(hello, std::move(link), now);
  leases_->Renew(hello.worker_id, now.steady);
  Welcome(hello, session, now);
  FindMissing(hello, now);
  return absl::OkStatus();
}

void AttemptControl::Welcome(const WorkerHello& hello, WorkerLink* link, const Moment& now) {
  WelcomeCommand welcome;
  welcome.heartbeat = options_.heartbeat;
  welcome.lease = options_.lease;
  welcome.store = jobs_->mark();
  for (const AttemptRef& ref : hello.running) {
    const JobPtr job = jobs_->Get(ref.job_id);
    const bool known = job && ref == LastAttemptRef(*job);
    const Member* member = known ? job->attempts.back().Find(hello.worker_id) : nullptr;
    workers_->Hold(hello.worker_id, ref, member == nullptr ? 1 : member->slots);
    if (CanAdopt(hello, ref)) {
      welcome.adopt.push_back(ref);
      continue;
    }
    welcome.kill.push_back(ref);
    ++counts_->fencing_rejections["hello"];
    workers_->ReleaseBy(hello.worker_id, ref, now.steady + kFenceWait);
  }
  link->Send(welcome);
  for (const AttemptRef& ref : welcome.adopt) AfterAdoption(hello, ref, now);
}

// A report or a stop may have been lost with the connection.
void AttemptControl::AfterAdoption(const WorkerHello& hello, const AttemptRef& ref,
                                   const Moment& now) {
  unreported_.erase({hello.worker_id, ref});
  const JobPtr job = jobs_->Get(ref.job_id);
  if (job->state == JobState::kReserved) {
    (void)ApplyOrRetry(ref.job_id, ReportOf(ref, hello.worker_id, ReportStatus::kAccepted), now);
  } else if (IsStopping(job->state)) {
    const absl::Duration grace =
        std::max(StopGraceOf(*job) - TimeInState(*job, now), absl::ZeroDuration());
    workers_->Send(hello.worker_id,
                   StopCommand{.attempt = ref, .grace = grace, .reason = StopReason(*job)});
  }
}

// Attempts that should run on this worker but which its agent does not name.
void AttemptControl::FindMissing(const WorkerHello& hello, const Moment& now) {
  for (const JobPtr& job : jobs_->WithAttempt()) {
    const AttemptRef ref = LastAttemptRef(*job);
    const Member* member = job->attempts.back().Find(hello.worker_id);
    if (member == nullptr || member->ended()) continue;
    const bool named =
        std::find(hello.running.begin(), hello.running.end(), ref) != hello.running.end();
    if (member->instance != hello.instance_id) {
      (void)ApplyOrRetry(job->job_id,
                         MemberLost{ref, hello.worker_id, DescribeSuccession(*member, hello)}, now);
    } else if (named) {
      continue;
    } else if (job->state == JobState::kReserved && member->state == MemberState::kAssigned) {
      workers_->Hold(hello.worker_id, ref, member->slots);
      const absl::StatusOr<JobPtr> full = jobs_->WithConfig(job);
      if (full.ok()) {
        Assign(*job, (*full)->config_json, *member);
      } else {  // the reservation ends by itself
        Log(LogLevel::kError, absl::StrCat("assigning: ", full.status().message()),
            {{"job", job->job_id}});
      }
    } else {
      unreported_.try_emplace({hello.worker_id, ref}, now.steady + options_.lease);
    }
  }
}

void AttemptControl::OnReport(const MemberReport& report, const Moment& now) {
  if (report.cache) KeepCacheUse(report, *report.cache);
  if (EndsMember(report.status)) {
    unreported_.erase({report.worker, report.attempt});
    workers_->Release(report.worker, report.attempt);
    // A worker that closed itself is not reopened by this.
    const bool cordoned = workers_->ModeOf(report.worker).kind == WorkerMode::Kind::kCordoned;
    if (cordoned) workers_->ReopenIfAutomatic(report.worker);
    // It would refuse new work, and the job would wait in vain.
    const bool leaves =
        report.status == ReportStatus::kFailed && report.end_class == EndClass::kAsked;
    if (leaves) workers_->Avoid(report.worker, now.steady + options_.lease);
  }
  const absl::Status status = ApplyOrRetry(report.attempt.job_id, report, now);
  if (ReasonOf(status) == ErrorReason::kStaleEpoch) ++counts_->fencing_rejections["report"];
}

void AttemptControl::KeepCacheUse(const MemberReport& report, const CacheUse& cache) {
  const JobPtr before = jobs_->Get(report.attempt.job_id);
  if (!before || !IsCurrent(*before, report.attempt)) return;
  Job job = *before;
  Attempt& attempt = job.attempts.back();
  Member* const member = attempt.Find(report.worker);
  if (member == nullptr || member->cache == cache) return;
  member->cache = cache;
  attempt.cache = CacheUseOf(attempt.members);
  job.progress.cache = CacheUseOf(job.attempts);
  // Stored with the report that carries it, or with the next change.
  jobs_->Publish(std::move(job));
}

void AttemptControl::OnWork(const AttemptRef& ref, const std::string& worker, const Moment& now) {
  const JobPtr job = jobs_->Get(ref.job_id);
  const bool waits = job && IsCurrent(*job, ref) &&
                     (job->state == JobState::kReserved || job->state == JobState::kStarting);
  if (!waits) return;
  (void)ApplyOrRetry(ref.job_id, ReportOf(ref, worker, ReportStatus::kRunning), now);
}

void AttemptControl::MarkLost(const std::string& worker, const std::string& why,
                              const Moment& now) {
  for (const JobPtr& job : jobs_->WithAttempt()) {
    const Member* member = job->attempts.back().Find(worker);
    if (member == nullptr || member->ended()) continue;
    (void)ApplyOrRetry(job->job_id, MemberLost{LastAttemptRef(*job), worker, why}, now);
  }
}

void AttemptControl::TakeExpiredLeases(const Moment& now) {
  for (const std::string& worker : leases_->TakeExpired(now.steady)) {
    ++counts_->lease_expirations["worker"];
    Log(LogLevel::kWarning, "the lease of a worker ran out", {{"worker", worker}});
    // An open session is of no use any more: the agent must dial in again and report what it runs.
    workers_->CloseSession(worker,
                           absl::UnavailableError(absl::StrCat(
                               "no heartbeat for ", absl::FormatDuration(options_.lease),
                               ": the lease ran out, connect again")),
                           now.steady);
    MarkLost(worker, absl::StrCat("no heartbeat for ", absl::FormatDuration(options_.lease)), now);
  }
}

void AttemptControl::MarkUnreportedLost(const Moment& now) {
  for (auto it = unreported_.begin(); it != unreported_.end();) {
    if (it->second > now.steady) {
      ++it;
      continue;
    }
    const auto [worker, ref] = it->first;
    it = unreported_.erase(it);
    (void)ApplyOrRetry(ref.job_id, MemberLost{ref, worker, "its agent no longer runs the attempt"},
                       now);
  }
}

void AttemptControl::Tick(const Moment& now) {
  std::vector<std::pair<std::string, JobEvent>> unstored;
  unstored.swap(unstored_);
  for (const auto& [job_id, event] : unstored) (void)ApplyOrRetry(job_id, event, now);
  TakeExpiredLeases(now);
  MarkUnreportedLost(now);
  ResolveStops(now);
  DrainWorkers(now);
  workers_->ReleaseOverdue(now.steady);
}

}  // namespace fpo::coordinator
