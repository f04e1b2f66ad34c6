#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// activation(gate) * up, element by element; float32 inside, rounded once. Differentiable in both;
// keeps only its two inputs.
at::Tensor Geglu(const at::Tensor& gate, const at::Tensor& up);   // gelu_tanh: Gemma's
at::Tensor Swiglu(const at::Tensor& gate, const at::Tensor& up);  // silu: Llama's and Qwen's

}  // namespace fpo::train
