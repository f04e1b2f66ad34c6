#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// The dtype of logits and sums: float32, or float64 for float64 input.
inline at::ScalarType WideType(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

}  // namespace fpo::train
