#pragma once

#include <time.h>

#include "common/clock.h"

namespace fpo::coordinator {

// Time since boot, including suspended time, as a point in time: for leases and other durations
// that a jump of the wall clock must not change. Thread-safe.
class SteadyClock final : public Clock {
 public:
  absl::Time Now() const override {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return absl::UnixEpoch() + absl::DurationFromTimespec(time);
  }
};

}  // namespace fpo::coordinator
