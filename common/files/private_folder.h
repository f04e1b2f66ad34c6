#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo {

// Makes a folder for a program's own state, which holds what its users do not share with the other
// accounts of this machine, and closes one that others can enter (0700), with a warning in the log.
// PermissionDenied: it is another user's.
absl::Status MakePrivateFolder(const std::string& path);

}  // namespace fpo
