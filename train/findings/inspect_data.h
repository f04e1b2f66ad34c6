#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/events/event_sink.h"
#include "train/findings/findings.h"

namespace fpo::train {

struct InspectDataOptions {
  std::string out;                 // folder
  std::string prepared;            // folder of 'prepare'; empty: OUT/prepared, prepared now
  std::string reference = "auto";  // a .fpr file; auto: OUT/reference.fpr, completed
  at::Device device = at::kCPU;
};

// `fpo-train inspect-data`: what the reference records say of the job's preference data, without
// any training. Writes OUT/findings.json, OUT/findings.html and OUT/pairs.jsonl (a line a training
// pair). InvalidArgument for data that are no pairs, or a job that has none; AlreadyExists: a run's
// folder.
absl::StatusOr<Findings> InspectData(const JobConfig& job, const InspectDataOptions& options,
                                     EventSink& events);

}  // namespace fpo::train
