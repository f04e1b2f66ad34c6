#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "worker/config.h"

namespace fpo::worker {

struct ParsedFlags {
  WorkerConfig config;
  bool check_config = false;        // all is well: say so and end
  std::optional<std::string> text;  // help or version: print it and end
};

// Flags, then --config. InvalidArgument says which flag, what is wrong and what is allowed.
absl::StatusOr<ParsedFlags> ParseFlags(int argc, const char* const* argv);

}  // namespace fpo::worker
