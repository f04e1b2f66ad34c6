// How an AttemptControl follows attempts and workers that are to end: reservations, stops, fences,
// drains, leaves.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "coordinator/core/workers/attempt_control.h"

namespace fpo::coordinator {

void AttemptControl::CloseUnconfirmed(const Job& job) {
  for (const Member& member : job.attempts.back().members) {
    if (member.ended()) continue;
    const std::string why = absl::StrCat("did not confirm the end of attempt ",
                                         job.attempts.back().number, " of job ", job.job_id);
    Log(LogLevel::kWarning, "a worker is closed", {{"worker", member.worker}, {"why", why}});
    workers_->SetMode(member.worker, {WorkerMode::Kind::kCordoned, why, /*automatic=*/true});
  }
}

bool AttemptControl::OnLeaving(const std::string& worker, WorkerLink* link) {
  for (const JobPtr& job : jobs_->WithAttempt()) {
    const Member* member = job->attempts.back().Find(worker);
    if (member != nullptr && !member->ended()) return false;
  }
  if (!workers_->Leave(worker, link)) return false;
  leases_->Drop(worker);
  link->Send(DismissCommand{});
  return true;
}

absl::Duration AttemptControl::TimeInState(const Job& job, const Moment& now) {
  Entered& entered = entered_[job.job_id];
  if (entered.state_since != job.state_since) entered = {job.state_since, now.steady};
  return now.steady - entered.steady;
}

void AttemptControl::ResolveStops(const Moment& now) {
  std::erase_if(entered_, [&](const auto& each) {
    const JobPtr job = jobs_->Get(each.first);
    return !job || !HasAttempt(job->state);
  });
  // Agents that have not reconnected yet cannot accept or confirm anything.
  const bool reattached = now.steady >= leases_->reattach_until();
  for (const JobPtr& job : jobs_->WithAttempt()) {
    const absl::Duration age = TimeInState(*job, now);
    if (job->state == JobState::kReserved && reattached && age >= options_.reservation) {
      (void)ApplyOrRetry(job->job_id, ReservationExpired{}, now);
      continue;
    }
    if (job->state != JobState::kRecovering && !IsStopping(job->state)) continue;
    const bool confirmed = job->attempts.back().AllEnded();
    if (!confirmed && (!reattached || age < StopGraceOf(*job) + kFenceWait)) continue;
    if (!confirmed) CloseUnconfirmed(*job);
    // The wall clock may have been set back meanwhile.
    (void)ApplyOrRetry(job->job_id, ResolveStopped{},
                       {confirmed ? now.wall : std::max(now.wall, FenceEnd(*job)), now.steady});
  }
}

void AttemptControl::DrainWorkers(const Moment& now) {
  for (const JobPtr& job : jobs_->WithAttempt()) {
    if (!IsActive(job->state)) continue;
    for (const Member& member : job->attempts.back().members) {
      const WorkerMode mode = workers_->ModeOf(member.worker);
      if (member.ended() || mode.kind != WorkerMode::Kind::kDraining) continue;
      const std::string why = absl::StrCat("preempted: worker ", member.worker, " is drained",
                                           mode.note.empty() ? "" : ": ", mode.note);
      (void)ApplyOrRetry(job->job_id, Preempt{options_.checkpoint_grace, why, true}, now);
      break;
    }
  }
}

}  // namespace fpo::coordinator
