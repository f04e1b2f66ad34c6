#pragma once

#include "common/values/enum_names.h"

namespace fpo {

enum class JobState {
  kQueued,
  kReserved,  // slots held, agents have not all accepted yet
  kStarting,  // preflight on the hosts
  kRunning,
  kRecovering,  // an attempt ended without a result; old processes are being stopped
  kCancelling,
  kSucceeded,
  kFailed,
  kCancelled,
  kHeld,        // waits until it is released
  kPausing,     // a checkpoint is being written, then the processes stop
  kPaused,      // no slots; waits until it is resumed
  kPreempting,  // like pausing, but it is requeued automatically
};

template <>
struct EnumNames<JobState> {
  static constexpr absl::string_view kNames[] = {
      "QUEUED", "RESERVED",  "STARTING", "RUNNING", "RECOVERING", "CANCELLING", "SUCCEEDED",
      "FAILED", "CANCELLED", "HELD",     "PAUSING", "PAUSED",     "PREEMPTING"};
};

constexpr bool IsTerminal(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed ||
         state == JobState::kCancelled;
}

}  // namespace fpo
