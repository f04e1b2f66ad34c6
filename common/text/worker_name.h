#pragma once

#include "absl/strings/string_view.h"

namespace fpo {

// What a worker may be called: 1 to 253 of letters, digits, '.', '_' and '-', as hosts are.
bool IsWorkerName(absl::string_view name);

}  // namespace fpo
