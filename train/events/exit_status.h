#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/train_protocol.h"

namespace fpo::train {

// An error that ends the process with exactly this code, whatever its status code.
absl::Status FailWith(ExitCode code, absl::string_view message);

// The same error with the exit code for storage: for code that writes the run's output.
absl::Status AsStorageError(const absl::Status& status);

// The exit code of FailWith, else the one that the status code maps to: InvalidArgument, NotFound
// and DataLoss are bad input; Unavailable, PermissionDenied and ResourceExhausted (a full disk) are
// storage.
ExitCode ExitCodeOf(const absl::Status& status);

// The class of an error event: invalid | memory | storage | foreign_cache | stopped | ...
std::string ErrorClass(ExitCode code);

}  // namespace fpo::train
