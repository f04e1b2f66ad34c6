#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/flags.h"

namespace fpo::coordinator {

// What --init, --repair, --restore, --accept-older and --copy-store ask for, on a store that no
// coordinator uses: does it and returns what to print. nullopt: the program is to serve.
std::optional<absl::StatusOr<std::string>> RunStoreCommand(const CoordinatorFlags& flags);

}  // namespace fpo::coordinator
