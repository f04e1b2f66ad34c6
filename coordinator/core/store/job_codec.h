#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// Stored bytes of a job (stored_fields.h): everything but config_json, which is stored beside it,
// once. DataLoss when the bytes are not a job.
std::string EncodeJob(const Job& job);
absl::StatusOr<Job> DecodeJob(absl::string_view bytes);

}  // namespace fpo::coordinator
