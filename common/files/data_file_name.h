#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo {

// InvalidArgument for a file whose ending is none of those that are read as rows, with what to do.
absl::Status CheckDataFileName(const std::string& path);

}  // namespace fpo
