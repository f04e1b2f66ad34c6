#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/flags/program_flags.h"
#include "coordinator/config.h"

namespace fpo::coordinator {

struct CoordinatorFlags : ParsedFlags<CoordinatorConfig> {
  // Work on the store in config.data instead of serving (store_commands.h).
  bool init = false;
  bool repair = false;
  bool accept_older = false;
  std::string restore = {};     // this backup
  std::string copy_store = {};  // from here, a folder or a database,
  std::string copy_to = {};     // into the other
};

// Command line, then --config FILE (TOML) for what the command line leaves open. InvalidArgument
// for anything unknown or malformed.
absl::StatusOr<CoordinatorFlags> ParseFlags(int argc, const char* const* argv);

}  // namespace fpo::coordinator
