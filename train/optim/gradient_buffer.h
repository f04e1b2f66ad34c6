#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "train/ops/gradient_sum.h"
#include "train/ops/named_tensors.h"

namespace fpo::train {

// Sums the gradients of micro-batches in the wide type of each parameter (wide_type.h): float32 for
// float32 and bfloat16. Not thread-safe.
class GradientBuffer {
 public:
  explicit GradientBuffer(const NamedTensors& parameters);

  // Calls `backward`, which adds gradients to the sums where it can (gradient_sum.h) while it runs,
  // and collects the others.
  template <typename Backward>
  void Collect(const Backward& backward) {
    const GradientSumsInScope scope(parameters_, &sums_);
    backward();
    Collect();
  }
  // Moves every parameter's .grad into the sum and clears it. Call after each backward.
  void Collect();
  // One per parameter, in its wide type, zeros where nothing was collected. Valid until Clear; may
  // be changed in place (all-reduce, clip).
  const std::vector<at::Tensor>& gradients();
  void Clear();  // also what a backward that failed left in .grad

  // The same for the `count` parameters from `first` on, also while backward computes others.
  std::vector<at::Tensor> Values(size_t first, size_t count);  // with what .grad has
  void Clear(size_t first, size_t count);
  bool IsEmpty(size_t first, size_t count) const;  // nothing collected, and nothing in .grad

 private:
  void Collect(size_t first, size_t count);

  std::vector<at::Tensor> parameters_;
  std::vector<GradientSum> sums_;
  std::vector<at::Tensor> values_;
};

}  // namespace fpo::train
