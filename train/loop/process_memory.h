#pragma once

#include <cstdint>

namespace fpo::train {

// Largest resident size of this process so far, from /proc; 0 where that is not readable.
int64_t PeakMemoryBytes();

}  // namespace fpo::train
