#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace fpo::train {

using TensorFunction = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

// Expects the gradients of a random projection of fn's result to equal central differences in every
// element of every input. Inputs are float64 and are changed and put back.
void ExpectGradientsMatchDifferences(const TensorFunction& fn, std::vector<at::Tensor> inputs);

// Largest |a - b| / (1 + |b|).
double RelativeError(const at::Tensor& a, const at::Tensor& b);

}  // namespace fpo::train
