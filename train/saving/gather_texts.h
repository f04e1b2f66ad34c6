#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/collective/process_group.h"

namespace fpo::train {

// Collective: every rank's text, of any length up to 1 MiB, indexed by rank. Longer ones are cut.
absl::StatusOr<std::vector<std::string>> GatherTexts(const std::string& own, ProcessGroup& group);

}  // namespace fpo::train
