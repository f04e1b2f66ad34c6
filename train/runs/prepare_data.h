#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/events/event_sink.h"
#include "train/prepare/prepare.h"

namespace fpo::train {

// Prepare, and says of each input what was admitted, in one line, and what is wrong with it.
absl::StatusOr<PrepareSummary> PrepareData(const JobConfig& job, const std::string& out,
                                           EventSink& events);

// The same for rows that were read otherwise; `key` names them.
void EmitAdmission(const std::string& key, const AdmissionReport& report, EventSink& events);

}  // namespace fpo::train
