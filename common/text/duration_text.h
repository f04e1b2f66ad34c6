#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fpo {

// A duration as people write it: "200ms", "90s", "1h30m", with days first "30d", "1d12h", or "0".
// InvalidArgument for anything else, also for negative ones and for "inf".
absl::StatusOr<absl::Duration> ParseDurationText(absl::string_view text);

struct DurationRange {
  absl::Duration least;
  absl::Duration most;
};
// InvalidArgument: "--lease is 1ms, allowed: 200ms to 1h".
absl::Status CheckDurationFlag(absl::string_view flag, absl::Duration value,
                               const DurationRange& allowed);

}  // namespace fpo
