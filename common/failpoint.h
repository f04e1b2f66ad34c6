#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// A named place where a test can make the program die or fail: see docs/decisions/
// 0004-failpoints-are-in-every-build.md. In a function that returns a Status or StatusOr:
//
//   FPO_FAILPOINT("cache.put.before_write");
//
// Without a failpoint armed it costs one relaxed load. Compiled out where FPO_FAILPOINTS is not
// defined (CMake option FPO_FAILPOINTS).
#ifdef FPO_FAILPOINTS
#define FPO_FAILPOINT(name)                                                          \
  do {                                                                               \
    if (absl::Status hit_failpoint = ::fpo::HitFailpoint(name); !hit_failpoint.ok()) \
      return hit_failpoint;                                                          \
  } while (false)
#else
#define FPO_FAILPOINT(name) static_cast<void>(0)
#endif

namespace fpo {

// Arms one failpoint: "NAME=ACTION" or "NAME=ACTION@N" for its N-th hit from now on. ACTION is
// `kill` (SIGKILL to this process), `stop` (SIGSTOP, once: a paused host) or `error` (the function
// returns UNAVAILABLE, each time from the N-th on). InvalidArgument for anything else. Thread-safe.
absl::Status ArmFailpoint(absl::string_view spec);
void DisarmFailpoints();

// What the macro calls.
absl::Status HitFailpoint(absl::string_view name);

}  // namespace fpo
