#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// gelu_tanh(gate) * up, element by element; float32 inside, rounded once. Differentiable in both;
// keeps only its two inputs.
at::Tensor Geglu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace fpo::train
