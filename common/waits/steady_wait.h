#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fpo {

// Mutex::AwaitWithTimeout by the steady clock: waits until `condition` holds, at most `timeout`,
// and returns whether it holds. absl's own timeouts are points of the wall clock; when that is set
// back by an hour, a wait of a second takes an hour and a second.
//
// One thread of the process ends all waits, so `mutex` must be one that is never held for long.
bool AwaitFor(absl::Mutex* mutex, const absl::Condition& condition, absl::Duration timeout)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

}  // namespace fpo
