#pragma once

#include <chrono>
#include <functional>

#include "absl/time/time.h"

namespace fpo::testing {

// While it lives, the wall clock of this program (std::chrono::system_clock, absl::Now and all who
// read CLOCK_REALTIME) is off by `by`; steady clocks and the kernel's own timers are not. For a
// wait that ends at a point of the wall clock it is as if the clock was set back by `by` meanwhile.
class MovedWall {
 public:
  explicit MovedWall(absl::Duration by);
  ~MovedWall();
  MovedWall(const MovedWall&) = delete;
  MovedWall& operator=(const MovedWall&) = delete;
};

// Whether `work` ends in time, by the steady clock. It runs on a thread that is left alone if not,
// so it must hold what it uses.
bool EndsInTime(std::function<void()> work, std::chrono::seconds time = std::chrono::seconds(20));

}  // namespace fpo::testing
