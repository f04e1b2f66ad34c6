#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "common/plan/run_plan.h"

namespace fpo::train {

struct PlanOptions {
  std::string prepared;  // folder of 'prepare'; empty: the data is prepared into a temporary one
  std::string out;       // folder of the run, whose records count as present; empty: job.output
  at::Device device = at::kCPU;
  double seconds_max = 10;  // that measuring may take; 0: no times
};

// `fpo-train plan`: what a job of kind train will take, by phase and part. Reads the data and the
// headers of the weights; keeps nothing. Unimplemented for the other kinds.
absl::StatusOr<RunPlan> PlanJob(const JobConfig& job, const PlanOptions& options);

}  // namespace fpo::train
