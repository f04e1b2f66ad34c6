#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/job_config.h"
#include "worker/trainer/prepare/prepare.h"
#include "worker/trainer/train/event_sink.h"

namespace fpo::train {

// Prepare, and says of each input what was admitted, in one line, and what is wrong with it.
absl::StatusOr<PrepareSummary> PrepareData(const JobConfig& job, const std::string& out,
                                           EventSink& events);

// The same for rows that were read otherwise; `key` names them.
void EmitAdmission(const std::string& key, const AdmissionReport& report, EventSink& events);

}  // namespace fpo::train
