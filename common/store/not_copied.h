#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo {

// A copy of a store that could not be made in `folder`. That folder's trouble must not look like
// the program's own: "unavailable", which callers try again, becomes FailedPrecondition.
absl::Status NotCopied(const absl::Status& status, const std::string& folder);

}  // namespace fpo
