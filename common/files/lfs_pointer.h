#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

// DataLoss, with the command that helps, when the bytes at the beginning of a file are those of a
// Git LFS pointer: a repository was cloned without its large files.
absl::Status CheckIsNoLfsPointer(absl::string_view bytes, const std::string& path);

}  // namespace fpo
