#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/events/event_sink.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {

// Writes OUT/features.json of a trained and exported run, if its job asks for one (MakesFeatures);
// returns the seconds that it took, 0 where there is none. The run has all else it needs by then,
// so the caller tells of an error and goes on; also one of lack of memory, or a request to stop. A
// report of an earlier state of the run is removed in any case.
absl::StatusOr<double> WriteFeaturesOfRun(const JobConfig& job, const RunInputs& inputs,
                                          const std::string& out, EventSink& events);

// That error as a warning that says how to get the report.
std::string NoFeaturesWarning(const absl::Status& error, const std::string& out);

}  // namespace fpo::train
