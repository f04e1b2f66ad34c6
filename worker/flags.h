#pragma once

#include "absl/status/statusor.h"
#include "common/flags/program_flags.h"
#include "worker/config.h"

namespace fpo::worker {

// Flags, then --config. InvalidArgument says which flag, what is wrong and what is allowed.
absl::StatusOr<ParsedFlags<WorkerConfig>> ParseFlags(int argc, const char* const* argv);

}  // namespace fpo::worker
