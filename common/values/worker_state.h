#pragma once

#include "common/values/enum_names.h"

namespace fpo {

// Whether a worker takes jobs.
enum class WorkerState {
  kReady,
  kCordoned,  // takes no jobs; running ones continue
  kDraining,  // takes no jobs; running ones checkpoint and move elsewhere
  kDrained,   // draining, and none is left
  kLost,      // not connected
};

template <>
struct EnumNames<WorkerState> {
  static constexpr absl::string_view kNames[] = {"ready", "cordoned", "draining", "drained",
                                                 "lost"};
};

}  // namespace fpo
