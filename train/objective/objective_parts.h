#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "train/objective/batch_metrics.h"
#include "train/ops/host_values.h"
#include "train/reference/response_scores.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// What the objectives share.

at::Tensor Total(const at::Tensor& values);  // their sum, without gradient

// Counts common to all methods. They are in `metrics` when `values` is read.
void CountBatch(const SequenceBatch& batch, const ResponseScores& scores, BatchMetrics* metrics,
                HostValues* values);

// d loss / d sums, of a loss that is a function of them; undefined where it does not depend on one.
SideGradients GradientsOf(const SideSums& sums,
                          const std::function<at::Tensor(const SideSums&)>& loss);

}  // namespace fpo::train
