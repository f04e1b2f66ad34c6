#pragma once

#include <optional>
#include <string>

#include "common/values/attempt_ref.h"
#include "common/values/cache_use.h"
#include "common/values/end_class.h"

namespace fpo {

enum class ReportStatus {
  kAccepted,   // slots held, will start
  kRefused,    // cannot run it here; the message says why
  kRunning,    // preflight passed
  kSucceeded,  // the message, if any, is for the user
  kFailed,     // end_class and message say how
  kStopped,    // after StopCommand or a kill: no process is left
};

template <>
struct EnumNames<ReportStatus> {
  static constexpr absl::string_view kNames[] = {"accepted",  "refused", "running",
                                                 "succeeded", "failed",  "stopped"};
};

// A worker's report on its part of an attempt.
struct Report {
  AttemptRef attempt;
  ReportStatus status = ReportStatus::kAccepted;
  std::optional<EndClass> end_class = {};  // of kFailed
  std::string message = {};
  std::optional<CacheUse> cache = {};
  std::string prepared = {};  // hex digest of the token files; empty: not known yet
};

// The worker takes no more work, and running attempts should move elsewhere.
struct Closing {
  std::string why;
};

// The worker has nothing to do and would end; it does so on a DismissCommand.
struct Leaving {
  std::string why;
};

}  // namespace fpo
