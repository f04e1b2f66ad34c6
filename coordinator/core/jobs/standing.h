#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fpo::coordinator {

// What a job does, or the first reason why it does not run. Programs compare this; the texts beside
// it are for people. Users see the names, which are stable.
enum class Standing {
  kQueued,  // the next look at the queue decides
  kBackoff,
  kDependency,  // another job must end first
  kQuota,
  kNoWorkerFits,
  kWaitingForSlots,
  kLowerPriority,  // jobs before it in the queue wait too
  kPreempted,      // its slots go to another job; it stops, or it waits again
  kAdmission,      // not all workers have accepted it yet
  kRunning,
  kRecords,  // of the reference are computed
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
  bool workers_away = false;  // workers that it may use are lost or closed, or it avoids them

  bool operator==(const WaitReason&) const = default;
};

}  // namespace fpo::coordinator
