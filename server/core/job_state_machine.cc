#include "server/core/job_state_machine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "server/core/explain.h"

namespace fpo::coordinator {
namespace {

using StateOr = absl::StatusOr<Job>;

absl::Status Illegal(const Job& job, absl::string_view event) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat(
          "job ", job.job_id, " is ", JobStateName(job.state), "; ", event, " does not apply")),
      {.reason = "ILLEGAL_TRANSITION", .ids = {job.job_id}});
}

absl::Status Stale(const Job& job, const AttemptRef& ref) {
  return WithErrorInfo(absl::FailedPreconditionError(absl::StrCat(
                           "job ", job.job_id, ": attempt ", ref.attempt, " of epoch ", ref.epoch,
                           " no longer counts; the job's epoch is ", job.epoch)),
                       {.reason = "STALE_EPOCH", .ids = {job.job_id}});
}

absl::Duration Doubling(absl::Duration first, int times) {
  const absl::Duration longest = absl::Minutes(5);
  absl::Duration wait = first;
  for (int i = 0; i < times && wait < longest; ++i) wait *= 2;
  return std::min(wait, longest);
}

void Enter(Job* job, JobState state, absl::Time now) {
  job->state = state;
  job->state_since = now;
  if (IsTerminal(state)) job->ended = now;
}

void Close(Attempt* attempt, std::string end_class, std::string message, absl::Time now) {
  if (attempt->ended) return;  // the first failing member tells the story
  attempt->ended = now;
  attempt->end_class = std::move(end_class);
  attempt->end_message = message.empty() ? attempt->last_error : std::move(message);
}

std::string EndWords(const Attempt& attempt) {
  if (attempt.end_message.empty()) return attempt.end_class;
  return absl::StrCat(attempt.end_class, ": ", attempt.end_message);
}

// Restarts are counted against the budget only when the job's own program is at fault.
bool IsCounted(const Attempt& attempt) {
  return attempt.end_class != "infrastructure" && attempt.end_class != "asked";
}

// Why the job must not be tried again, or nothing.
std::optional<std::string> FatalReason(const Job& job) {
  const Attempt& last = job.attempts.back();
  if (last.end_class == "invalid") return EndWords(last);
  if (last.end_class == "memory" && !job.demand.retry_on_oom) {
    return absl::StrCat(EndWords(last), " (retry.on_oom is fail)");
  }
  if (IsCounted(last) && job.restarts_used >= job.demand.max_restarts) {
    return absl::StrCat("restart budget spent (", job.restarts_used, " of ",
                        job.demand.max_restarts, "); ", EndWords(last));
  }
  if (!last.progressed && job.attempts_without_progress + 1 >= kAttemptsWithoutProgressMax) {
    return absl::StrCat(
        "no-progress: ", kAttemptsWithoutProgressMax,
        " attempts in a row ended without a new checkpoint or phase; last: ", EndWords(last));
  }
  return std::nullopt;
}

Job Fail(Job job, std::string reason, absl::Time now) {
  job.reason = std::move(reason);
  Enter(&job, JobState::kFailed, now);
  return job;
}

// Every process of the last attempt is gone: try again, or not.
Job Resolve(Job job, absl::Time now) {
  if (std::optional<std::string> fatal = FatalReason(job)) return Fail(std::move(job), *fatal, now);
  const Attempt& last = job.attempts.back();
  if (IsCounted(last)) ++job.restarts_used;
  job.attempts_without_progress = last.progressed ? 0 : job.attempts_without_progress + 1;
  job.not_before = *last.ended + RecoveryBackoff(job.requeues);
  ++job.requeues;
  job.reason = ExplainBackoff(job, EndWords(last));
  Enter(&job, JobState::kQueued, now);
  return job;
}

// A member failed: the gang cannot go on. What must fail does so at once.
Job Recover(Job job, absl::Time now) {
  Enter(&job, JobState::kRecovering, now);
  if (job.attempts.back().AllEnded() && FatalReason(job)) return Resolve(std::move(job), now);
  job.reason = ExplainRecovering(job);
  return job;
}

// RESERVED ends without a start: slots are free again, the budget is untouched, late words of the
// attempt are stale.
Job Requeue(Job job, std::string why, absl::Time now) {
  Attempt& attempt = job.attempts.back();
  Close(&attempt, "infrastructure", why, now);
  ++job.epoch;
  job.not_before = now + RefusalBackoff(job.requeues);
  ++job.requeues;
  job.reason = ExplainBackoff(job, why);
  Enter(&job, JobState::kQueued, now);
  return job;
}

Job Cancelled(Job job, absl::Time now) {
  if (!job.attempts.empty()) Close(&job.attempts.back(), "asked", "cancelled", now);
  job.reason = "cancelled on request";
  Enter(&job, JobState::kCancelled, now);
  return job;
}

bool AllAtLeast(const Attempt& attempt, MemberState state) {
  return std::all_of(attempt.members.begin(), attempt.members.end(),
                     [&](const Member& m) { return m.state >= state; });
}

// RESERVED -> STARTING -> RUNNING as far as every member has come. A report may skip a step when
// the one before it was lost with a connection.
void Advance(Job* job, absl::Time now) {
  const Attempt& attempt = job->attempts.back();
  if (job->state == JobState::kReserved && AllAtLeast(attempt, MemberState::kAccepted)) {
    Enter(job, JobState::kStarting, now);
    job->reason.clear();
    if (!job->started) job->started = now;
  }
  if (job->state == JobState::kStarting && AllAtLeast(attempt, MemberState::kRunning)) {
    Enter(job, JobState::kRunning, now);
  }
  if (job->state == JobState::kReserved) job->reason = ExplainAdmission(*job);
}

class Transition {
 public:
  Transition(const Job& job, absl::Time now) : job_(job), now_(now) {}

  StateOr operator()(const Reserve& event) {
    if (job_.state != JobState::kQueued) return Illegal(job_, "a reservation");
    ++job_.epoch;
    Attempt attempt;
    attempt.number = job_.attempts.empty() ? 1 : job_.attempts.back().number + 1;
    attempt.epoch = job_.epoch;
    attempt.members = event.members;
    attempt.started = now_;
    job_.attempts.push_back(std::move(attempt));
    Enter(&job_, JobState::kReserved, now_);
    job_.reason = ExplainAdmission(job_);
    return std::move(job_);
  }

  StateOr operator()(const ReservationExpired&) {
    if (job_.state != JobState::kReserved) return Illegal(job_, "a reservation's timeout");
    return Requeue(std::move(job_), ExplainAdmission(job_), now_);
  }

  StateOr operator()(const MemberReport& report) {
    if (job_.state == JobState::kQueued || report.ref != LastAttemptRef(job_)) {
      return Stale(job_, report.ref);
    }
    Member* member = job_.attempts.back().Find(report.worker);
    if (member == nullptr) return Stale(job_, report.ref);
    if (member->ended()) return std::move(job_);
    if (job_.state == JobState::kRecovering || job_.state == JobState::kCancelling) {
      return OnReportWhileStopping(report, member);
    }
    return OnReportWhileActive(report, member);
  }

  StateOr operator()(const MemberLost& lost) {
    if (job_.state == JobState::kQueued || lost.ref != LastAttemptRef(job_)) {
      return Stale(job_, lost.ref);
    }
    Attempt& attempt = job_.attempts.back();
    Member* member = attempt.Find(lost.worker);
    if (member == nullptr) return Stale(job_, lost.ref);
    if (member->ended()) return std::move(job_);
    member->state = MemberState::kGone;
    // Nothing that the lost worker still writes may count from here on.
    if (job_.epoch == attempt.epoch) ++job_.epoch;
    if (job_.state == JobState::kCancelling) return CancelledWhenEnded();
    Close(&attempt, "infrastructure", absl::StrCat("worker ", lost.worker, ": ", lost.why), now_);
    if (job_.state == JobState::kRecovering) return std::move(job_);
    return Recover(std::move(job_), now_);
  }

  StateOr operator()(const Settle&) {
    if (job_.state != JobState::kRecovering) return Illegal(job_, "the end of a recovery");
    const bool fenced = now_ - job_.state_since >= kFenceWait;
    if (!job_.attempts.back().AllEnded() && !fenced) return Illegal(job_, "an early restart");
    if (job_.epoch == job_.attempts.back().epoch) ++job_.epoch;
    return Resolve(std::move(job_), now_);
  }

  StateOr operator()(const CancelRequest&) {
    if (job_.state == JobState::kQueued) return Cancelled(std::move(job_), now_);
    if (job_.state == JobState::kCancelling) return std::move(job_);
    Enter(&job_, JobState::kCancelling, now_);
    job_.reason = ExplainCancelling(job_);
    return CancelledWhenEnded();
  }

  StateOr operator()(const Unsatisfiable& event) {
    if (job_.state != JobState::kQueued) return Illegal(job_, "unsatisfiable");
    return Fail(std::move(job_), event.reason, now_);
  }

 private:
  StateOr OnReportWhileActive(const MemberReport& report, Member* member) {
    switch (report.status) {
      case ReportStatus::kAccepted:
        member->state = std::max(member->state, MemberState::kAccepted);
        break;
      case ReportStatus::kRunning:
        member->state = MemberState::kRunning;
        break;
      case ReportStatus::kRefused:
        if (job_.state != JobState::kReserved) return Illegal(job_, "a refusal");
        member->state = MemberState::kGone;
        return Requeue(std::move(job_),
                       absl::StrCat("refused by ", report.worker, ": ", report.message), now_);
      case ReportStatus::kSucceeded:
        member->state = MemberState::kSucceeded;
        return SucceededWhenAllHave();
      case ReportStatus::kFailed:
      case ReportStatus::kStopped:
        member->state = MemberState::kGone;
        Close(&job_.attempts.back(), EndClass(report), report.message, now_);
        return Recover(std::move(job_), now_);
    }
    Advance(&job_, now_);
    return std::move(job_);
  }

  // Only the news that no process is left matters now; a result came too late to win.
  StateOr OnReportWhileStopping(const MemberReport& report, Member* member) {
    if (report.status == ReportStatus::kAccepted || report.status == ReportStatus::kRunning) {
      return std::move(job_);
    }
    member->state = MemberState::kGone;
    if (job_.state == JobState::kCancelling) return CancelledWhenEnded();
    job_.reason = ExplainRecovering(job_);
    return std::move(job_);
  }

  StateOr SucceededWhenAllHave() {
    Attempt& attempt = job_.attempts.back();
    Advance(&job_, now_);
    if (!AllAtLeast(attempt, MemberState::kSucceeded)) return std::move(job_);
    Close(&attempt, "done", "", now_);
    attempt.end_message.clear();
    job_.reason.clear();
    Enter(&job_, JobState::kSucceeded, now_);
    return std::move(job_);
  }

  StateOr CancelledWhenEnded() {
    if (!job_.attempts.back().AllEnded()) {
      job_.reason = ExplainCancelling(job_);
      return std::move(job_);
    }
    return Cancelled(std::move(job_), now_);
  }

  static std::string EndClass(const MemberReport& report) {
    if (report.status == ReportStatus::kStopped) return "asked";
    for (const char* known : {"invalid", "memory", "infrastructure"}) {
      if (report.end_class == known) return known;
    }
    return "program";  // also for words of a newer agent: counted, so never an endless loop
  }

  Job job_;
  const absl::Time now_;
};

}  // namespace

absl::Duration RecoveryBackoff(int requeues) {
  return requeues == 0 ? absl::Seconds(1) : Doubling(absl::Seconds(5), requeues - 1);
}

absl::Duration RefusalBackoff(int requeues) { return Doubling(absl::Seconds(5), requeues); }

absl::StatusOr<Job> Apply(const Job& job, const JobEvent& event, absl::Time now) {
  if (IsTerminal(job.state)) {
    return WithErrorInfo(
        absl::FailedPreconditionError(absl::StrCat("job ", job.job_id, " is already ",
                                                   JobStateName(job.state), " and stays so")),
        {.reason = "JOB_TERMINAL", .ids = {job.job_id}});
  }
  return std::visit(Transition(job, now), event);
}

}  // namespace fpo::coordinator
