#pragma once

#include "absl/status/statusor.h"
#include "common/program_flags.h"
#include "coordinator/config.h"

namespace fpo::coordinator {

struct CoordinatorFlags : ParsedFlags<CoordinatorConfig> {
  bool repair = false;  // of the store in config.data, then end
};

// Command line, then --config FILE (TOML) for what the command line leaves open. InvalidArgument
// for anything unknown or malformed.
absl::StatusOr<CoordinatorFlags> ParseFlags(int argc, const char* const* argv);

}  // namespace fpo::coordinator
