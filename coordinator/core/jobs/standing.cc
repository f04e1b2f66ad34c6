#include "coordinator/core/jobs/standing.h"

#include <array>
#include <cstddef>

namespace fpo::coordinator {
namespace {

struct NamedStanding {
  Standing standing;
  absl::string_view name;
};

constexpr std::array kStandingNames = {
    NamedStanding{Standing::kQueued, "queued"},
    NamedStanding{Standing::kBackoff, "backoff"},
    NamedStanding{Standing::kDependency, "dependency"},
    NamedStanding{Standing::kQuota, "quota"},
    NamedStanding{Standing::kNoWorkerFits, "no-worker-fits"},
    NamedStanding{Standing::kWaitingForSlots, "waiting-for-slots"},
    NamedStanding{Standing::kLowerPriority, "lower-priority"},
    NamedStanding{Standing::kPreempted, "preempted"},
    NamedStanding{Standing::kAdmission, "admission"},
    NamedStanding{Standing::kRunning, "running"},
    NamedStanding{Standing::kRecords, "records"},
    NamedStanding{Standing::kRecovering, "recovering"},
    NamedStanding{Standing::kCancelling, "cancelling"},
    NamedStanding{Standing::kPausing, "pausing"},
    NamedStanding{Standing::kHeld, "held"},
    NamedStanding{Standing::kPaused, "paused"},
    NamedStanding{Standing::kSucceeded, "succeeded"},
    NamedStanding{Standing::kFailed, "failed"},
    NamedStanding{Standing::kCancelled, "cancelled"},
};
static_assert(kStandingNames.size() == static_cast<size_t>(Standing::kCancelled) + 1);

}  // namespace

absl::string_view StandingName(Standing standing) {
  for (const NamedStanding& entry : kStandingNames) {
    if (entry.standing == standing) return entry.name;
  }
  return "";
}

}  // namespace fpo::coordinator
