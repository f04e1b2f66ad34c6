#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "train/ops/vocab_head.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// The frozen reference's values for a batch of responses.
struct ReferenceValues {
  at::Tensor logp;                 // [batch] float64; undefined with distributions
  std::vector<at::Tensor> pooled;  // per SAE: [batch, features] float32
  VocabReference distributions;    // rows in the order of the batch's log-prob rows
};

// Most objectives need only sums. The KL methods compare whole next-token distributions, passed as
// final hidden states: one pass over both heads then gives log-probs and KL.
enum class ReferenceDetail { kSums, kDistributions };

// Source of those values: stored records, or a model in memory. Not thread-safe.
class ReferenceSource {
 public:
  virtual ~ReferenceSource() = default;
  virtual bool has_distributions() const { return false; }
  // One row per sequence, in order. A missing record is an error that names its key. Only some
  // sources have distributions.
  virtual absl::StatusOr<ReferenceValues> Values(const std::vector<Sequence>& sequences,
                                                 ReferenceDetail detail) = 0;
};

}  // namespace fpo::train
