#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ctl/command_line/invocation.h"

namespace fpo::ctl {

// A parsed command line: exactly one of the three is set.
struct ParsedLine {
  std::optional<Invocation> invocation;
  std::optional<std::string> help;  // to print, then exit 0
  absl::Status error;               // of the command line
  bool json = false;                // how the error is to be printed
};

// `args` without the program's name.
ParsedLine ParseCommandLine(const std::vector<std::string>& args, const Environment& environment);

// The environment variables and terminals of this process.
Environment ReadEnvironment();

}  // namespace fpo::ctl
