#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo {

// InvalidArgument, with a remedy, for a file whose extension is not one that is read as rows.
absl::Status CheckDataFileName(const std::string& path);

}  // namespace fpo
