#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// The Status of a failed system call: "open /data/x: No such file or directory". NotFound for a
// missing path, ResourceExhausted for a full disk or too many files, PermissionDenied,
// AlreadyExists, FailedPrecondition for a path of the wrong kind, else Unavailable.
absl::Status PosixError(int error_number, absl::string_view call, absl::string_view path);

// The whole file. InvalidArgument, with both sizes, when it is longer than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = int64_t{1} << 30);

}  // namespace fpo
