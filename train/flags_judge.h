#pragma once

#include "absl/status/status.h"
#include "common/flags/flag_set.h"

namespace fpo::train {

struct Flags;

// The options of `fpo-train judge`, and of `fpo-train calibrate`.
void AddJudge(FlagSet app, Flags* flags);
void AddCalibrate(FlagSet app, Flags* flags);
// Rules that depend on more than one of judge's.
absl::Status CheckJudge(const Flags& flags);

}  // namespace fpo::train
