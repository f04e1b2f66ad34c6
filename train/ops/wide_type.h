#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// The dtype in which sums and statistics of x are kept, whatever x is rounded to: float32, or
// float64 for float64 (which only tests have).
inline at::ScalarType WideType(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

}  // namespace fpo::train
