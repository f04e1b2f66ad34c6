#pragma once

#include "absl/time/time.h"

namespace fpo::coordinator {

// One "now" in both of its meanings: what people read, and what durations are measured with.
struct Moment {
  absl::Time wall;
  absl::Time steady;
};

}  // namespace fpo::coordinator
