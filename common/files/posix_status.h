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
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes);

// Readers see the old file or the new one, also after a power cut: a .tmp file beside it, fsync,
// rename, fsync of the folder. Of two writers at once the last wins; a failed one leaves nothing.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);

// fsync of the folder that holds `path`: makes a rename or a removal durable.
absl::Status SyncParentFolder(const std::string& path);

}  // namespace fpo
