#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace fpo::train {

// Euclidean norm over all elements of all tensors, summed in float64. Infinite or NaN when a
// gradient is.
double GlobalNorm(const std::vector<at::Tensor>& gradients);

// What scales gradients of this norm to one of at most `max_norm` (0: off); 1 for a smaller one.
double ClipFactor(double norm, double max_norm);

// Scales the gradients in place so that their global norm is at most `max_norm` (0: off) and
// returns the norm before scaling.
double ClipGlobalNorm(const std::vector<at::Tensor>& gradients, double max_norm);

}  // namespace fpo::train
