#include "worker/trainer/optim/grad_clip.h"

#include <cmath>

#include "worker/trainer/pch.h"

namespace fpo::train {

double GlobalNorm(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  double squared = 0;
  for (const at::Tensor& gradient : gradients) {
    // Accumulates in float64 without a float64 copy of the tensor.
    const double norm =
        at::linalg_vector_norm(gradient, 2, at::OptionalIntArrayRef(), false, at::kDouble)
            .item<double>();
    squared += norm * norm;
  }
  return std::sqrt(squared);
}

double ClipGlobalNorm(const std::vector<at::Tensor>& gradients, double max_norm) {
  const double norm = GlobalNorm(gradients);
  if (max_norm <= 0 || !(norm > max_norm)) return norm;
  for (const at::Tensor& gradient : gradients) gradient.mul_(max_norm / norm);
  return norm;
}

}  // namespace fpo::train
