#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/collective/process_group.h"
#include "train/data/batcher.h"
#include "train/data/token_file.h"
#include "train/loop/micro_batch_size.h"
#include "train/loop/part_times.h"
#include "train/objective/batch_metrics.h"
#include "train/objective/objective.h"
#include "train/optim/gradient_buffer.h"
#include "train/parallel/sharded_update.h"

namespace fpo::train {

// One rank's work on a step.
struct StepInputs {
  const Objective& objective;
  const TokenFile& pairs;
  const Batcher& batcher;
  int64_t layers = 0;  // of the model, for progress
  int64_t step = 0;    // from 0
  GlobalBatch global = {};
  PartTimes* parts = nullptr;  // gets the times of forward and backward; may be null
};

struct StepShare {
  BatchMetrics metrics;
  double reference_seconds = 0;  // spent waiting for reference values
};

// Forward and backward of this rank's micro-batches; their gradients end up summed in `gradients`.
// Calls no other rank, so one rank may repeat it with smaller micro-batches. NotFinite names the
// loss, the step and the rows.
absl::StatusOr<StepShare> ComputeGradients(const StepInputs& inputs, MicroBatchSize* size,
                                           GradientBuffer* gradients);

// For an update of several ranks. With a sharding, gradients go to their owners while backward
// runs: a collective call, and when a rank runs out of memory, all repeat the step.
absl::StatusOr<StepShare> ComputeGradients(const StepInputs& inputs, MicroBatchSize* size,
                                           ShardedUpdate* update);

// Tokens of the first `count` pairs as the objective computes them: packed or padded.
PairLengths LengthsFor(const Objective& objective, const TokenFile& pairs, int64_t count);

// What the losses of the step's parts need to know of all of it. Collective.
absl::StatusOr<GlobalBatch> GlobalBatchOf(const StepInputs& inputs, MicroBatchSize* size,
                                          ProcessGroup& group);

// "3, 17": the rows of the data that these pairs were.
std::string RowsOf(const TokenFile& file, const std::vector<int64_t>& pairs);
std::string RowsOfStep(const TokenFile& file, const BatchStep& batch);

}  // namespace fpo::train
