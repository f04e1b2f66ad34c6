#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cache/config.h"

namespace fpo::cache {

struct ParsedFlags {
  CacheConfig config;
  bool check_config = false;
  std::optional<std::string> text = {};  // --help, --version: print it and end
};

// Command line, then --config FILE (TOML) for what the command line leaves open. InvalidArgument
// for anything unknown or malformed.
absl::StatusOr<ParsedFlags> ParseFlags(int argc, const char* const* argv);

}  // namespace fpo::cache
