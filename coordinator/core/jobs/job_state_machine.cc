#include "coordinator/core/jobs/job_state_machine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "coordinator/core/jobs/restart_rules.h"
#include "coordinator/core/scheduling/explain.h"

namespace fpo::coordinator {
namespace {

using StateOr = absl::StatusOr<Job>;

absl::Status Illegal(const Job& job, absl::string_view event, absl::string_view hint = "") {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("job ", job.job_id, " is ", Name(job.state), "; ",
                                                 event, " does not apply")),
      {.reason = ErrorReason::kIllegalTransition, .hint = std::string(hint), .ids = {job.job_id}});
}

absl::Status Stale(const Job& job, const AttemptRef& ref) {
  return WithErrorInfo(absl::FailedPreconditionError(absl::StrCat(
                           "job ", job.job_id, ": attempt ", ref.attempt, " of epoch ", ref.epoch,
                           " no longer counts; the job's epoch is ", job.epoch)),
                       {.reason = ErrorReason::kStaleEpoch, .ids = {job.job_id}});
}

// For the rest of a gang that lost a member in an orderly way.
constexpr absl::Duration kSurvivorGrace = absl::Seconds(30);

void Enter(Job* job, JobState state, absl::Time now) {
  job->state = state;
  job->state_since = now;
  if (IsTerminal(state)) job->ended = now;
}

// Ends the last attempt; the first failing member determines the message.
void Close(Job* job, EndClass end_class, std::string message, absl::Time now) {
  Attempt& attempt = job->attempts.back();
  if (attempt.ended) return;
  attempt.ended = now;
  attempt.end_class = end_class;
  attempt.end_message = message.empty() ? attempt.last_error : std::move(message);
  attempt.end_step = job->progress.step;
}

// From here on, reports and writes of the last attempt no longer count.
void Fence(Job* job) {
  if (!job->attempts.empty() && job->epoch == job->attempts.back().epoch) ++job->epoch;
}

Job Fail(Job job, std::string reason, absl::Time now) {
  job.reason = std::move(reason);
  Enter(&job, JobState::kFailed, now);
  return job;
}

// Every process of the last attempt is gone: retry or fail.
Job Resolve(Job job, absl::Time now) {
  if (std::optional<std::string> fatal = FatalReason(job)) return Fail(std::move(job), *fatal, now);
  const Attempt& last = job.attempts.back();
  if (IsCounted(last)) ++job.restarts_used;
  job.attempts_without_progress = last.progressed ? 0 : job.attempts_without_progress + 1;
  job.not_before = *last.ended + RecoveryBackoff(job.requeues);
  ++job.requeues;
  job.reason = ExplainBackoff(job, DescribeEnd(job));
  job.waits_for = Standing::kBackoff;
  Enter(&job, JobState::kQueued, now);
  return job;
}

// A member failed, so the gang cannot continue. A job that must fail does so at once.
Job Recover(Job job, absl::Time now) {
  Enter(&job, JobState::kRecovering, now);
  job.stop_by = now;
  if (job.attempts.back().AllEnded() && FatalReason(job)) return Resolve(std::move(job), now);
  job.reason = ExplainRecovering(job);
  return job;
}

// RESERVED ends without a start: slots are free again, the budget is untouched, late reports of the
// attempt are stale.
Job Requeue(Job job, std::string why, absl::Time now) {
  Close(&job, EndClass::kInfrastructure, why, now);
  ++job.epoch;
  job.not_before = now + RefusalBackoff(job.requeues);
  ++job.requeues;
  job.reason = ExplainBackoff(job, why);
  job.waits_for = Standing::kBackoff;
  Enter(&job, JobState::kQueued, now);
  return job;
}

// The state of a job once a requested stop is complete.
Job Stopped(Job job, absl::Time now) {
  const std::string failure = job.attempts.empty() ? "" : job.attempts.back().last_error;
  const auto close = [&](std::string message) {
    if (!failure.empty()) absl::StrAppend(&message, "; ", failure);
    Close(&job, EndClass::kAsked, message, now);
    Fence(&job);
  };
  switch (job.state) {
    case JobState::kPausing:
      close("paused on request");
      job.reason = ExplainPaused(job);
      Enter(&job, JobState::kPaused, now);
      return job;
    case JobState::kPreempting:
      close(job.reason);
      job.waits_for = Standing::kPreempted;
      Enter(&job, JobState::kQueued, now);
      return job;
    default:
      if (!job.attempts.empty()) close("cancelled");
      job.reason = "cancelled on request";
      Enter(&job, JobState::kCancelled, now);
      return job;
  }
}

bool AllAtLeast(const Attempt& attempt, MemberState state) {
  return std::all_of(attempt.members.begin(), attempt.members.end(),
                     [&](const Member& m) { return m.state >= state; });
}

// RESERVED -> STARTING -> RUNNING as all members get there; a report may skip one that was lost.
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
    attempt.rendezvous_port = event.rendezvous_port;
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
    if (!HasAttempt(job_.state) || report.attempt != LastAttemptRef(job_)) {
      return Stale(job_, report.attempt);
    }
    Member* member = job_.attempts.back().Find(report.worker);
    if (member == nullptr) return Stale(job_, report.attempt);
    if (member->ended()) return std::move(job_);
    return IsActive(job_.state) ? OnReportWhileActive(report, member)
                                : OnReportWhileStopping(report, member);
  }

  StateOr operator()(const MemberLost& lost) {
    if (!HasAttempt(job_.state) || lost.ref != LastAttemptRef(job_)) return Stale(job_, lost.ref);
    Member* member = job_.attempts.back().Find(lost.worker);
    if (member == nullptr) return Stale(job_, lost.ref);
    if (member->ended()) return std::move(job_);
    member->state = MemberState::kGone;
    Fence(&job_);
    if (IsStopping(job_.state)) return StoppedWhenEnded();
    if (!job_.attempts.back().ended) RecordHostFault(lost.worker, /*in_preflight=*/false, &job_);
    Close(&job_, EndClass::kInfrastructure, absl::StrCat("worker ", lost.worker, ": ", lost.why),
          now_);
    return job_.state == JobState::kRecovering ? std::move(job_) : Recover(std::move(job_), now_);
  }

  StateOr operator()(const ResolveStopped&) {
    if (job_.state != JobState::kRecovering && !IsStopping(job_.state)) {
      return Illegal(job_, "the end of a stop");
    }
    if (!job_.attempts.back().AllEnded() && now_ < FenceEnd(job_)) {
      return Illegal(job_, "an early restart");
    }
    Fence(&job_);
    return job_.state == JobState::kRecovering ? Resolve(std::move(job_), now_)
                                               : Stopped(std::move(job_), now_);
  }

  StateOr operator()(const CancelRequest& event) {
    if (!HasAttempt(job_.state)) return Stopped(std::move(job_), now_);
    return Stop(JobState::kCancelling, event.grace);
  }

  StateOr operator()(const PauseRequest& event) {
    if (job_.state == JobState::kPausing || job_.state == JobState::kPaused) {
      return std::move(job_);
    }
    if (!IsActive(job_.state) && job_.state != JobState::kPreempting) {
      return Illegal(job_, "pause",
                     absl::StrCat("to keep it from starting: fpoctl hold ", job_.job_id));
    }
    return Stop(JobState::kPausing, event.grace);
  }

  StateOr operator()(const ResumeRequest&) {
    if (job_.state == JobState::kQueued) return std::move(job_);
    if (job_.state != JobState::kPaused) {
      return Illegal(job_, "resume",
                     job_.state == JobState::kHeld ? absl::StrCat("fpoctl release ", job_.job_id)
                                                   : absl::StrCat("fpoctl describe ", job_.job_id));
    }
    return Queue();
  }

  StateOr operator()(const HoldRequest&) {
    if (job_.state == JobState::kHeld) return std::move(job_);
    if (job_.state != JobState::kQueued) {
      return Illegal(job_, "hold", absl::StrCat("to stop it: fpoctl pause ", job_.job_id));
    }
    job_.reason = ExplainHeld(job_);
    Enter(&job_, JobState::kHeld, now_);
    return std::move(job_);
  }

  StateOr operator()(const ReleaseRequest&) {
    if (job_.state == JobState::kQueued) return std::move(job_);
    if (job_.state != JobState::kHeld) {
      return Illegal(job_, "release",
                     job_.state == JobState::kPaused
                         ? absl::StrCat("fpoctl resume ", job_.job_id)
                         : absl::StrCat("fpoctl describe ", job_.job_id));
    }
    return Queue();
  }

  StateOr operator()(const PriorityRequest& event) {
    job_.demand.priority = event.priority;
    return std::move(job_);
  }

  StateOr operator()(const Preempt& event) {
    if (!IsActive(job_.state)) return Illegal(job_, "a preemption");
    job_.reason = event.why;
    job_.attempts.back().lost_worker |= event.worker_leaves;
    return Stop(JobState::kPreempting, event.grace);
  }

  StateOr operator()(const Unsatisfiable& event) {
    const bool waits = job_.state == JobState::kQueued || job_.state == JobState::kHeld;
    if (!waits) return Illegal(job_, "unsatisfiable");
    return Fail(std::move(job_), event.reason, now_);
  }

 private:
  StateOr Queue() {
    job_.reason.clear();
    job_.waits_for = Standing::kQueued;
    job_.not_before = absl::InfinitePast();
    Enter(&job_, JobState::kQueued, now_);
    return std::move(job_);
  }

  // A later request may shorten the grace of an earlier one, never lengthen it.
  StateOr Stop(JobState state, absl::Duration grace) {
    const absl::Time by = now_ + grace;
    const bool again = job_.state == state;
    job_.stop_by = again ? std::min(job_.stop_by, by) : by;
    if (again) return std::move(job_);
    Enter(&job_, state, now_);
    return StoppedWhenEnded();
  }

  StateOr OnReportWhileActive(const MemberReport& report, Member* member) {
    switch (report.status) {
      case ReportStatus::kAccepted:
        member->state = std::max(member->state, MemberState::kAccepted);
        break;
      case ReportStatus::kRunning:
        member->state = MemberState::kRunning;
        if (!report.prepared.empty()) member->prepared = report.prepared;
        if (std::string differs = ExplainDataDiffers(job_.attempts.back()); !differs.empty()) {
          Close(&job_, EndClass::kInvalid, std::move(differs), now_);
          return Recover(std::move(job_), now_);
        }
        break;
      case ReportStatus::kRefused:
        if (job_.state != JobState::kReserved) return Illegal(job_, "a refusal");
        member->state = MemberState::kGone;
        return Requeue(std::move(job_),
                       absl::StrCat("refused by ", report.worker, ": ", report.message), now_);
      case ReportStatus::kSucceeded:
        member->state = MemberState::kSucceeded;
        return SucceededWhenAllHave(report.message);
      case ReportStatus::kFailed:
      case ReportStatus::kStopped: {
        member->state = MemberState::kGone;
        const EndClass end_class = EndClassOf(report);
        if (report.status == ReportStatus::kFailed && end_class == EndClass::kAsked) {
          // The agent is shutting down, which is not a fault, so nothing is counted.
          job_.reason = ExplainWorkerLeaves(report.worker, report.message);
          job_.attempts.back().lost_worker = true;
          return Stop(JobState::kPreempting, kSurvivorGrace);
        }
        if (end_class == EndClass::kInfrastructure) {
          RecordHostFault(report.worker, job_.state != JobState::kRunning, &job_);
        }
        Close(&job_, end_class, report.message, now_);
        return Recover(std::move(job_), now_);
      }
    }
    Advance(&job_, now_);
    return std::move(job_);
  }

  // Only the news that no process is left matters now. A result takes precedence over a pause,
  // which was meant to continue later; for a cancel it comes too late.
  StateOr OnReportWhileStopping(const MemberReport& report, Member* member) {
    if (report.status == ReportStatus::kAccepted || report.status == ReportStatus::kRunning) {
      return std::move(job_);
    }
    const bool has_result =
        report.status == ReportStatus::kSucceeded &&
        (job_.state == JobState::kPausing || job_.state == JobState::kPreempting);
    member->state = has_result ? MemberState::kSucceeded : MemberState::kGone;
    if (report.status == ReportStatus::kFailed && EndClassOf(report) != EndClass::kAsked) {
      job_.attempts.back().last_error = report.message;
    }
    if (has_result && AllAtLeast(job_.attempts.back(), MemberState::kSucceeded) &&
        std::none_of(job_.attempts.back().members.begin(), job_.attempts.back().members.end(),
                     [](const Member& m) { return m.state == MemberState::kGone; })) {
      return Succeed(report.message);
    }
    if (IsStopping(job_.state)) return StoppedWhenEnded();
    job_.reason = ExplainRecovering(job_);
    return std::move(job_);
  }

  StateOr SucceededWhenAllHave(const std::string& message) {
    Advance(&job_, now_);
    if (!AllAtLeast(job_.attempts.back(), MemberState::kSucceeded)) return std::move(job_);
    return Succeed(message);
  }

  // The message, if any, is for the user: that nothing was trained.
  StateOr Succeed(const std::string& message) {
    Close(&job_, EndClass::kDone, message, now_);
    job_.attempts.back().end_message = message;
    job_.reason = message;
    Enter(&job_, JobState::kSucceeded, now_);
    return std::move(job_);
  }

  StateOr StoppedWhenEnded() {
    if (job_.attempts.back().AllEnded()) return Stopped(std::move(job_), now_);
    // A preemption keeps its reason; the workers show who has not stopped yet.
    if (job_.state != JobState::kPreempting) job_.reason = ExplainStopping(job_);
    return std::move(job_);
  }

  static EndClass EndClassOf(const MemberReport& report) {
    if (report.status == ReportStatus::kStopped) return EndClass::kAsked;
    // A missing class, or one that no failure has, is counted, so that retries end.
    if (!report.end_class || *report.end_class == EndClass::kDone) return EndClass::kProgram;
    return *report.end_class;
  }

  Job job_;
  const absl::Time now_;
};

}  // namespace

absl::Time FenceEnd(const Job& job) { return std::max(job.state_since, job.stop_by) + kFenceWait; }

absl::StatusOr<Job> Apply(const Job& job, const JobEvent& event, absl::Time now) {
  if (IsTerminal(job.state)) {
    return WithErrorInfo(
        absl::FailedPreconditionError(
            absl::StrCat("job ", job.job_id, " is already ", Name(job.state), ", which is final")),
        {.reason = ErrorReason::kJobTerminal, .ids = {job.job_id}});
  }
  return std::visit(Transition(job, now), event);
}

}  // namespace fpo::coordinator
