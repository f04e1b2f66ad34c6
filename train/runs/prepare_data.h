#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/events/event_sink.h"
#include "train/prepare/prepare.h"

namespace fpo::train {

// Runs Prepare and reports, for each input, one line about what was admitted, and warnings. The
// model's weights are not looked at: CheckModel (loop/model_loader.h) comes first where they are
// needed later.
absl::StatusOr<PrepareSummary> PrepareData(const JobConfig& job, const std::string& out,
                                           EventSink& events);

// The same for rows read by other means; `key` names them.
void EmitAdmission(const std::string& key, const AdmissionReport& report, EventSink& events);

}  // namespace fpo::train
