#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "ctl/command_line/invocation.h"

namespace fpo::ctl {

// Options that every command takes, by name, as the command line gave them.
using GivenOptions = std::map<std::string, std::string>;

// Takes each setting from the first source that has it: option, environment, context, default. The
// context is that of --context, FPO_CONTEXT or the file's `current`. InvalidArgument: an invalid
// file, or a context that is not in it.
absl::Status ResolveSettings(const GivenOptions& given, const Environment& environment,
                             Settings* settings);

}  // namespace fpo::ctl
