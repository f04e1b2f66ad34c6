#pragma once

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

}  // namespace fpo
