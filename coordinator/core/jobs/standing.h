#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fpo::coordinator {

// What a job is doing, or the main reason why it is not running. Programs compare this; the texts
// with it are for people. Users see the names, which are stable.
enum class Standing {
  kQueued,  // the next scheduling pass decides
  kBackoff,
  kDependency,  // another job must end first
  kQuota,
  kNoWorkerFits,
  kWaitingForSlots,
  kLowerPriority,  // jobs before it in the queue wait too
  kPreempted,      // its slots go to another job; it is stopping, or waits again
  kAdmission,      // not all workers have accepted it yet
  kRunning,
  kRecords,  // of the reference are being computed
  kRecovering,
  kCancelling,
  kPausing,
  kHeld,
  kPaused,
  kSucceeded,
  kFailed,
  kCancelled,
};

absl::string_view StandingName(Standing standing);  // "waiting-for-slots"

// Why a queued job waits.
struct WaitReason {
  Standing standing = Standing::kQueued;
  std::string text = {};      // for people
  bool workers_away = false;  // workers that it may use are lost, closed or avoided

  bool operator==(const WaitReason&) const = default;
};

}  // namespace fpo::coordinator
