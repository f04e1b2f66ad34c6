#pragma once

#include "absl/status/status.h"
#include "common/flags/flag_set.h"
#include "common/job/job_config.h"

namespace fpo::train {

struct Flags;

// The options of `fpo-train features`.
void AddFeatures(FlagSet app, Flags* flags);
// Rules that depend on more than one of them.
absl::Status CheckFeatures(const Flags& flags);
// The job with what they say in the place of what it says.
JobConfig WithFeatureFlags(JobConfig job, const Flags& flags);

}  // namespace fpo::train
