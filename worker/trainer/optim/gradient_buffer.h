#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "worker/trainer/ops/named_tensors.h"

namespace fpo::train {

// Sums the gradients of micro-batches in float32, whatever the parameters' dtype. Not thread-safe.
class GradientBuffer {
 public:
  explicit GradientBuffer(const NamedTensors& parameters);

  // Moves every parameter's .grad into the sum and clears it. Call after each backward.
  void Collect();
  // One per parameter, float32, zeros where nothing was collected. Valid until Clear; may be
  // changed in place (all-reduce, clip).
  const std::vector<at::Tensor>& gradients();
  void Clear();

 private:
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> sums_;
};

}  // namespace fpo::train
