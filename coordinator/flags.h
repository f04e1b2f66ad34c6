#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/config.h"

namespace fpo::coordinator {

struct ParsedFlags {
  CoordinatorConfig config;
  bool check_config = false;
  bool repair = false;              // of the store in config.data, then end
  std::optional<std::string> text;  // --help, --version: print it and end
};

// Command line, then --config FILE (TOML) for what the command line leaves open. InvalidArgument
// for anything unknown or malformed.
absl::StatusOr<ParsedFlags> ParseFlags(int argc, const char* const* argv);

}  // namespace fpo::coordinator
