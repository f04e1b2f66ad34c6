#pragma once

#include <time.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace fpo {

// Source of "now" for the owners of the core classes; tests set it by hand. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// A clock that nobody sets: differences of its times are durations. What measures these asks for
// one of this type, so that the wall clock cannot be handed to it.
class SteadyClock : public Clock {};

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

class BootClock final : public SteadyClock {
 public:
  absl::Time Now() const override { return BootNow(); }
};

// The wall clock for what is removed by its age: a jump forward makes nothing older than it became
// by the steady clock since this was made.
class AgeClock final : public Clock {
 public:
  AgeClock(const Clock& wall, const Clock& steady)
      : wall_(wall), steady_(steady), wall_begin_(wall.Now()), steady_begin_(steady.Now()) {}
  absl::Time Now() const override {
    return std::min(wall_.Now(), wall_begin_ + (steady_.Now() - steady_begin_));
  }

 private:
  const Clock& wall_;
  const Clock& steady_;
  const absl::Time wall_begin_;
  const absl::Time steady_begin_;
};

}  // namespace fpo
