#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/values/report.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// All slots of the job were free at once.
struct Reserve {
  std::vector<Member> members;
  int32_t rendezvous_port = 0;  // 0: one rank
};

// An agent's report on its part of an attempt.
struct MemberReport : Report {
  std::string worker;
};

// Not every agent accepted in time.
struct ReservationExpired {};

// The worker's lease ran out, or its agent was replaced by one that does not know the attempt.
struct MemberLost {
  AttemptRef ref;
  std::string worker;
  std::string why;
};

// No process of the attempt is left, or those left were fenced long enough ago.
struct ResolveStopped {};

// Requests of users; idempotent. Processes that are to stop get `grace` to do so.
struct CancelRequest {
  absl::Duration grace;
};
struct PauseRequest {  // checkpoint, stop, free the slots
  absl::Duration grace;
};
struct ResumeRequest {};   // PAUSED -> QUEUED
struct HoldRequest {};     // QUEUED -> HELD
struct ReleaseRequest {};  // HELD -> QUEUED
struct PriorityRequest {
  int64_t priority = 0;
};

// Its slots are needed for a more urgent job, or its worker is to become free.
struct Preempt {
  absl::Duration grace;
  std::string why;
  bool worker_leaves = false;
};

// It can never run: nothing has fitted for too long, or a job it depends on did not succeed.
struct Unsatisfiable {
  std::string reason;
};

using JobEvent = std::variant<Reserve, MemberReport, ReservationExpired, MemberLost, ResolveStopped,
                              CancelRequest, PauseRequest, ResumeRequest, HoldRequest,
                              ReleaseRequest, PriorityRequest, Preempt, Unsatisfiable>;

// How long processes that were told to stop may take, beyond their grace, to confirm it.
inline constexpr absl::Duration kFenceWait = absl::Seconds(60);
// When a job that waits for the end of processes may proceed without confirmation.
absl::Time FenceEnd(const Job& job);

// The state table of jobs as one pure function. The result differs from `job` only in what the
// event changes; a repeated report or request returns the job unchanged. Errors: FailedPrecondition
// with reason JOB_TERMINAL (terminal is final), STALE_EPOCH (a report of an attempt that no longer
// counts) or ILLEGAL_TRANSITION.
absl::StatusOr<Job> Apply(const Job& job, const JobEvent& event, absl::Time now);

}  // namespace fpo::coordinator
