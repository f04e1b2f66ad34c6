#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/job.h"

namespace fpo::coordinator {

// All slots of the job were free at once.
struct Reserve {
  std::vector<Member> members;
};

enum class ReportStatus { kAccepted, kRefused, kRunning, kSucceeded, kFailed, kStopped };

// What an agent says about its part of an attempt.
struct MemberReport {
  AttemptRef ref;
  std::string worker;
  ReportStatus status = ReportStatus::kAccepted;
  std::string end_class;  // kFailed: invalid | memory | program | infrastructure
  std::string message;
};

// Not every agent accepted in time.
struct ReservationExpired {};

// The worker's lease ran out, or its agent was replaced by one that does not know the attempt.
struct MemberLost {
  AttemptRef ref;
  std::string worker;
  std::string why;
};

// No process of the attempt is left, or those that are were fenced long enough ago.
struct Settle {};

struct CancelRequest {};

// No set of workers could run it for too long.
struct Unsatisfiable {
  std::string reason;
};

using JobEvent = std::variant<Reserve, MemberReport, ReservationExpired, MemberLost, Settle,
                              CancelRequest, Unsatisfiable>;

// How long survivors of a broken attempt may take to confirm that they stopped.
inline constexpr absl::Duration kFenceWait = absl::Seconds(60);
inline constexpr int kAttemptsWithoutProgressMax = 3;

// The state table of jobs as one pure function. The result differs from `job` only in what the
// event changes; a repeated report gives the job unchanged. Errors: FailedPrecondition with reason
// JOB_TERMINAL (terminal is final), STALE_EPOCH (a report of an attempt that no longer counts) or
// ILLEGAL_TRANSITION.
absl::StatusOr<Job> Apply(const Job& job, const JobEvent& event, absl::Time now);

// Wait before the next attempt after `requeues` earlier ones without progress. The first restart of
// a lost process is quick: most deaths are single.
absl::Duration RecoveryBackoff(int requeues);  // 1 s, then 5 s doubling to 5 min
absl::Duration RefusalBackoff(int requeues);   // 5 s doubling to 5 min

}  // namespace fpo::coordinator
