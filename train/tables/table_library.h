#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace fpo::train {

// A function of libfpo_arrow.so in `folder` (empty: the program's own), which stays loaded.
// FailedPrecondition: "FILE, which does not load (why)".
absl::StatusOr<void*> TableFunction(const char* name, const std::string& folder);

}  // namespace fpo::train
