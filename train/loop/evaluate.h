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
};

// The objective's metrics over evaluation pairs, without gradients, under their metrics.jsonl names
// ("eval_loss", "eval_rewards/accuracies", ...) and "eval_seconds". Collective: ranks share the
// pairs. Empty when the file has none.
absl::StatusOr<std::map<std::string, double>> EvaluatePairs(const EvaluationInputs& inputs,
                                                            MicroBatchSize* size,
                                                            ProcessGroup& group);

}  // namespace fpo::train
