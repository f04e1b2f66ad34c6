#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/core/hooks/hook.h"

namespace fpo::coordinator {

// Reads the file of --webhooks, with the files of keys that it names. InvalidArgument says all that
// is wrong, with lines, and repeats no URL and no key.
absl::StatusOr<HookSettings> ReadHookFile(const std::string& path);

}  // namespace fpo::coordinator
