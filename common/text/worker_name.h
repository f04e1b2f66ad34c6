#pragma once

#include "absl/strings/string_view.h"

namespace fpo {

// Whether it is a valid worker name: 1 to 253 of letters, digits, '.', '_' and '-', like host
// names.
bool IsWorkerName(absl::string_view name);

}  // namespace fpo
