#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fpo {

// A duration as people write it: "200ms", "90s", "1h30m", with days first "30d", "1d12h", or "0".
// InvalidArgument for anything else, also for negative ones and for "inf".
absl::StatusOr<absl::Duration> ParseDurationText(absl::string_view text);

}  // namespace fpo
