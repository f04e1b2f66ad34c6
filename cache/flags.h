#pragma once

#include "absl/status/statusor.h"
#include "cache/config.h"
#include "common/flags/program_flags.h"

namespace fpo::cache {

// Command line, then --config FILE (TOML) for what the command line leaves open. InvalidArgument
// for anything unknown or malformed.
absl::StatusOr<ParsedFlags<CacheConfig>> ParseFlags(int argc, const char* const* argv);

}  // namespace fpo::cache
