#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/input_check.h"
#include "common/job/job_config.h"

namespace fpo::ctl {

// Lets a trainer look at the model folder, the template and the first rows of the data of a job,
// whose paths are absolute and on this machine: what is wrong with them is then known before a
// worker finds it. Unavailable, with the reason, when `trainer` does not start or gives no result
// within `timeout`, after which it is killed.
absl::StatusOr<InputCheck> TryInputs(const std::string& trainer, const JobConfig& config,
                                     absl::Duration timeout = absl::Seconds(60));

}  // namespace fpo::ctl
