#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/data/token_file.h"
#include "train/loop/model_loader.h"
#include "train/plan/run_sizes.h"

namespace fpo::train {

struct ProbeInputs {
  const JobConfig& job;
  const PlanFacts& facts;
  const PlannedWork& work;
  const TokenFile& train;
  const TokenFile& eval;
  const std::vector<LoadedSae>& saes;
  at::Device device;
  double seconds_max = 10;  // that the measurement may take, roughly
  bool fits = true;         // the whole job does, in the memory that is free
};

// Seconds for each operation of a forward pass (ForwardFlopsOf), and of what does not depend on the
// batch. Of work that the job has not: 0.
struct MeasuredSpeed {
  double train = 0;     // forward and backward
  double score = 0;     // reference records
  double evaluate = 0;  // forward, with all that is measured there
  double update = 0;    // seconds of an optimiser step
  double first = 0;     // more seconds of the first step than of the others
  std::string how;      // for people
};

// Measured on freshly initialised layers with the job's own micro-batches, SAE and optimiser, as
// the run computes them: on the whole model where that takes no longer than `seconds_max`, else on
// one and on two layers, whose difference is what each further layer takes.
absl::StatusOr<MeasuredSpeed> MeasureSpeed(const ProbeInputs& inputs);

}  // namespace fpo::train
