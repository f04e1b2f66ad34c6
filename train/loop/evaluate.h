#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/collective/process_group.h"
#include "train/data/token_file.h"
#include "train/loop/micro_batch_size.h"
#include "train/objective/objective.h"

namespace fpo::train {

struct EvaluationInputs {
  const Objective& objective;
  const TokenFile& pairs;
  int64_t pairs_max = 512;  // the first ones of the file
  bool contracts = true;    // also the sets of features that must not move
};

// What was measured, the same on all ranks.
struct Evaluation {
  // The objective's metrics under their metrics.jsonl names ("eval_loss",
  // "eval_rewards/accuracies", ...), "eval_contract/NAME" of each contract and "eval_seconds".
  // Empty when the file has no pairs.
  std::map<std::string, double> metrics;
  PairValues pairs;  // of the first pairs of the file
  std::vector<ContractResult> contracts;
};

// Measures evaluation pairs without gradients. Collective: ranks share the pairs. InvalidArgument
// for a contract that cannot be measured on them.
absl::StatusOr<Evaluation> EvaluatePairs(const EvaluationInputs& inputs, MicroBatchSize* size,
                                         ProcessGroup& group);

}  // namespace fpo::train
