#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "worker/trainer/train/sequence_batch.h"

namespace fpo::train {

// What the frozen reference says about a batch of responses.
struct ReferenceValues {
  at::Tensor logp;                 // [batch] float64
  std::vector<at::Tensor> pooled;  // per SAE: [batch, features] float32
};

// Where those values come from: stored records, or a model in memory. Not thread-safe.
class ReferenceSource {
 public:
  virtual ~ReferenceSource() = default;
  // One row per sequence, in order. A missing record is an error that names its key.
  virtual absl::StatusOr<ReferenceValues> Values(const std::vector<Sequence>& sequences) = 0;
};

}  // namespace fpo::train
