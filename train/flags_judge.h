#pragma once

#include "absl/status/status.h"
#include "common/flags/flag_set.h"

namespace fpo::train {

struct Flags;

// The options of `fpo-train judge`.
void AddJudge(FlagSet app, Flags* flags);
// Rules that depend on more than one of them.
absl::Status CheckJudge(const Flags& flags);

}  // namespace fpo::train
