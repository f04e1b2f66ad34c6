#include "train/optim/grad_clip.h"

#include <ATen/ATen.h>

namespace fpo::train {

double GlobalNorm(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  if (gradients.empty()) return 0;
  std::vector<at::Tensor> norms;
  for (const at::Tensor& gradient : gradients) {
    // Accumulates in float64 without a float64 copy of the tensor.
    norms.push_back(
        at::linalg_vector_norm(gradient, 2, at::OptionalIntArrayRef(), false, at::kDouble));
  }
  // Everything before stays on the device: one wait in all, not one per tensor.
  return at::linalg_vector_norm(at::stack(norms)).item<double>();
}

double ClipGlobalNorm(const std::vector<at::Tensor>& gradients, double max_norm) {
  const double norm = GlobalNorm(gradients);
  if (max_norm <= 0 || !(norm > max_norm)) return norm;
  for (const at::Tensor& gradient : gradients) gradient.mul_(max_norm / norm);
  return norm;
}

}  // namespace fpo::train
