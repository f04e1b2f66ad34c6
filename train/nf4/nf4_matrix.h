#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "train/nf4/nf4_tensor.h"

namespace fpo::train {

// Memory for one dense matrix after another. A user that finds it taken gets memory of its own.
class WeightBuffer {
 public:
  // fn(matrix) with the weights of `packed` in `type`, valid until it returns.
  void With(const Nf4Tensor& packed, at::ScalarType type,
            const std::function<void(const at::Tensor&)>& fn);

 private:
  std::mutex mutex_;
  at::Tensor memory_;  // of the largest matrix so far
};

// A frozen weight of a model, whose weights share a buffer.
struct Nf4Matrix {
  Nf4Tensor tensor;
  std::shared_ptr<WeightBuffer> buffer;
};

using Nf4Matrices = std::vector<std::shared_ptr<const Nf4Matrix>>;

// x W^T: [..., in] -> [..., out], as Linear of the dense weight in the type of x. Differentiable
// in x; backward makes the dense weight again.
at::Tensor Nf4Linear(const at::Tensor& x, const std::shared_ptr<const Nf4Matrix>& weight);

}  // namespace fpo::train
