#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/events/event_sink.h"

namespace fpo::train {

struct FeaturesOfModelOptions {
  std::string model;               // model folder, or a checkpoint of a run
  std::string prepared;            // folder of 'prepare'; empty: prepared next to `out`
  std::string reference = "auto";  // auto: run the model; or a .fpr file with all features
  std::string out;                 // features.json
  at::Device device = at::kCPU;
};

// `fpo-train features`: the feature report of any model against the job's reference, on the job's
// held-out pairs and with its SAEs, also of a method that used none.
absl::Status FeaturesOfModel(const JobConfig& job, const FeaturesOfModelOptions& options,
                             EventSink& events);

}  // namespace fpo::train
