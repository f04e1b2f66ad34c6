#pragma once

#include <cstdint>

#include "common/job_config.h"
#include "tests/worker/trainer/runs/trajectory.h"
#include "tests/worker/trainer/train/tiny_run.h"

namespace fpo::train {

// Trains with `world` ranks that are threads of this process and meet over Gloo as processes do.
// The policy, a live reference and the SAE are the job's own, converted to float64: a job file has
// no such dtype, and records keep float32 features. All ranks must end with the same bits; the test
// fails otherwise, or when a rank does not get to its end.
Trajectory TrainInFloat64(const TinyRun& tiny, const JobConfig& job, int64_t world);

}  // namespace fpo::train
