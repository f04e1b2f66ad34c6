#pragma once

#include "absl/time/time.h"

namespace fpo::coordinator {

// One "now" on both clocks: the one that people read, and the one that durations are measured with.
struct Moment {
  absl::Time wall;
  absl::Time steady;
};

}  // namespace fpo::coordinator
