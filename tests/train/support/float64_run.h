#pragma once

#include <cstdint>
#include <vector>

#include "common/job/job_config.h"
#include "common/train_protocol.h"
#include "tests/train/support/tiny_run.h"
#include "tests/train/support/trajectory.h"
#include "train/loop/model_loader.h"
#include "train/model/gemma.h"

namespace fpo::train {

// Rounding in float64 is 2^-29 of that in float32. What must be the same whatever the order of sums
// is compared in it, where rounding comes to some 1e-15 and hides nothing. A job file has no such
// dtype; these give the trainer's own code float64 to work on.

Gemma InFloat64(const Gemma& model);
LoadedSae InFloat64(const LoadedSae& sae);  // read from its file again

// Trains with `world` ranks that are threads of this process and meet over Gloo as processes do.
// The reference is live, for records keep float32 features. All ranks must end with the same bits;
// the test fails otherwise, or when a rank does not get to its end.
Trajectory TrainInFloat64(const TinyRun& tiny, const JobConfig& job, int64_t world = 1);

// The same in the job's own dtype; `weights` are the tensors that were trained. Adds what rank 0
// reported of each step to `steps`, when given.
Trajectory TrainInThreads(const TinyRun& tiny, const JobConfig& job, int64_t world,
                          std::vector<EventMetrics>* steps = nullptr);

}  // namespace fpo::train
