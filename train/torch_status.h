#pragma once

#include <functional>

#include "absl/status/status.h"

namespace fpo::train {

// Runs `work` and turns what LibTorch throws into a status: out of memory is ResourceExhausted with
// the size that was asked for, a lost peer Aborted, anything else Internal. The one place where
// exceptions end; called by main only.
absl::Status RunTorch(const std::function<absl::Status()>& work);

}  // namespace fpo::train
