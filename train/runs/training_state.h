#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/checkpoint/checkpoint_shard.h"
#include "train/checkpoint/checkpoint_writer.h"
#include "train/objective/divergence_budget.h"
#include "train/objective/early_stop.h"
#include "train/parallel/sharded_update.h"

namespace fpo::train {

// What a resumed run must agree on, and where it resumes. Data order and learning rate are
// functions of seed and step, and nothing else is random: with weights and moments this is the
// whole state.
struct TrainingState {
  int64_t step = 0;  // optimiser steps done
  int64_t world = 1;
  uint64_t seed = 0;
  std::string data_digest;   // hex, of the training token file
  std::string model_digest;  // the folder the run started from
  std::string adapter;       // DescribeAdapter: the tensors are an adapter's; empty: the model's
  std::string model_path;    // that folder, whose configuration and tokenizer a checkpoint lacks
  std::string recipe_id;     // of the reference records; empty without
  // Reference log-probs of the first responses. On resume the policy has changed, so the records
  // are compared with these instead.
  std::vector<double> reference_probe;
  double train_seconds = 0;  // spent in steps so far, over all attempts
  // Of the micro-batches, after running out of memory; 0: as the job says. A run that is resumed
  // does not start again with what does not fit.
  int64_t tokens_per_microbatch = 0;
  BudgetState budget;         // of constraint.budget
  EarlyStopState early_stop;  // of evaluate.patience

  std::string Json() const;
  static absl::StatusOr<TrainingState> Parse(const std::string& json);  // DataLoss
  // Takes what belongs to the attempt that continues with a checkpoint and not to the run: ranks,
  // where its model is and, if the job asks for other micro-batches now, no limit of their size,
  // which was found with the former ones, perhaps on another device.
  void Adopt(const TrainingState& attempt, bool other_micro_batches);
  // InvalidArgument names what differs between a checkpoint and this run.
  absl::Status CheckSameRun(const TrainingState& run) const;
};

CheckpointContent MakeCheckpoint(const TrainingState& state, OptimizerTensors tensors);
// The part of a rank that keeps ranges.
CheckpointShard MakeShard(const TrainingState& state, const ShardedUpdate& update, int64_t rank);

// Restores masters, moments and parameters bit for bit.
absl::StatusOr<TrainingState> RestoreCheckpoint(const SavedCheckpoint& checkpoint,
                                                ShardedUpdate* update);

}  // namespace fpo::train
