#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/collective/process_group.h"
#include "train/loop/evaluate.h"
#include "train/loop/micro_batch_size.h"
#include "train/objective/objective.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {

// The pairs of one set, measured.
struct SetPairs {
  std::string name;         // empty: of the first set, whether it has a name or not
  const TokenFile* tokens;  // of the inputs
  PairValues values;
};

// An evaluation of all sets of data.eval. The metrics of the first are "eval_loss", ...; where sets
// have names those of each are also "eval_NAME_loss", ..., and "eval_seconds" is of all.
struct SetEvaluations {
  std::map<std::string, double> metrics;
  std::vector<ContractResult> contracts;  // of the first set
  std::vector<SetPairs> pairs;            // of the first set, then of each by its name
};

struct SetEvaluationInputs {
  const JobConfig& job;
  const RunInputs& inputs;
  const Objective& objective;
};

// Collective, as EvaluatePairs. Without pairs in the first set its metrics are absent.
absl::StatusOr<SetEvaluations> EvaluateSets(const SetEvaluationInputs& from, MicroBatchSize* size,
                                            ProcessGroup& group);

}  // namespace fpo::train
