#pragma once

#include <functional>

#include "absl/status/status.h"

namespace fpo::train {

// Runs `work` and converts LibTorch's exceptions to a status: out of memory is ResourceExhausted
// with the requested size, a lost peer Aborted, anything else Internal. The only place where
// exceptions are caught; called by main only.
absl::Status RunTorch(const std::function<absl::Status()>& work);

}  // namespace fpo::train
