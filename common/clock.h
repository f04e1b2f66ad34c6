#pragma once

#include <time.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace fpo {

// Source of "now" for the owners of the core classes; tests set it by hand. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

// Time since boot, including suspended time, as a point in time: for leases, graces and all other
// durations, which a jump of the wall clock must not change.
inline absl::Time BootNow() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return absl::UnixEpoch() + absl::DurationFromTimespec(time);
}

class BootClock final : public Clock {
 public:
  absl::Time Now() const override { return BootNow(); }
};

}  // namespace fpo
