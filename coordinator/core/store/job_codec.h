#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// Stored bytes of the coordinator's values: JSON with one-word names. A reader ignores unknown
// names and gives absent ones their default, so a program of the version before can read them.
// DataLoss when the bytes are not such a value.

// Everything but config_json, which is stored beside it, once.
std::string EncodeJob(const Job& job);
absl::StatusOr<Job> DecodeJob(absl::string_view bytes);

}  // namespace fpo::coordinator
