#pragma once

#include <cstdlib>

namespace fpo::train {

// For tests whose ranks are threads of one process; those of fpo-train are processes. libtorch
// 2.11's flight recorder, one a process, notes a group at its first call in a map that it does not
// lock (all_pg_status_ in FlightRecorderDetail.hpp), which crashes now and then when several groups
// make theirs at once. So it is off, from before main: it reads this at the first group.
inline const int kNoFlightRecorder = setenv("TORCH_FR_BUFFER_SIZE", "0", 1);

}  // namespace fpo::train
