#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "train/ops/vocab_head.h"
#include "train/reference/sequence_batch.h"

namespace fpo::train {

// What the frozen reference says about a batch of responses.
struct ReferenceValues {
  at::Tensor logp;                 // [batch] float64; undefined with distributions
  std::vector<at::Tensor> pooled;  // per SAE: [batch, features] float32
  VocabReference distributions;    // rows in the order of the batch's log-prob rows
};

// Sums are all that most objectives need. The KL methods compare whole next-token distributions:
// those come as final hidden states, and one pass over both heads gives log-probs and KL.
enum class ReferenceDetail { kSums, kDistributions };

// Where those values come from: stored records, or a model in memory. Not thread-safe.
class ReferenceSource {
 public:
  virtual ~ReferenceSource() = default;
  virtual bool has_distributions() const { return false; }
  // One row per sequence, in order. A missing record is an error that names its key. Distributions
  // only from a source that has them.
  virtual absl::StatusOr<ReferenceValues> Values(const std::vector<Sequence>& sequences,
                                                 ReferenceDetail detail) = 0;
};

}  // namespace fpo::train
