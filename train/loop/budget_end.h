#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "train/collective/process_group.h"
#include "train/loop/micro_batch_size.h"
#include "train/objective/divergence_budget.h"
#include "train/objective/objective.h"
#include "train/parallel/sharded_update.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {

// A run with a budget after its last step.
struct BudgetEnd {
  const DivergenceBudget& budget;
  const BudgetState& state;
  const RunInputs& inputs;
  const Objective& objective;
  int64_t pairs_max;  // of an evaluation
  ShardedUpdate& update;
  MicroBatchSize& size;
  ProcessGroup& group;
};

// Puts the policy onto its budget (LandOnBudget): measured on the held-out pairs, without those on
// the first training pairs. Not where the multiplier never began, nor where the policy did not
// start as the reference, whose weights are then not on the way. Collective; the same on all ranks.
// Reads the model folder again: FailedPrecondition when another model is there now.
absl::StatusOr<DivergenceBudget::Conclusion> EndOnBudget(const BudgetEnd& end);

}  // namespace fpo::train
