#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// Runs `work` and converts LibTorch's exceptions to a status: out of memory is ResourceExhausted
// with the requested size, a lost peer Aborted, anything else Internal. The only place where
// exceptions are caught; called by main, by MicroBatchSize, which goes on after the first, and
// where a run goes on without what failed.
absl::Status RunTorch(const std::function<absl::Status()>& work);

// How the message of a status for lack of memory ends.
absl::string_view MemoryAdvice();

}  // namespace fpo::train
