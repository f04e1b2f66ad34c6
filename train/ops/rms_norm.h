#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// Gemma's norm over the last dimension: x * rsqrt(mean(x^2) + eps) * (1 + weight), computed in
// float32 (float64 for float64 input) and rounded once to x's dtype. x: [..., d], weight: [d].
// Differentiable in both.
at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps);

// residual + RmsNorm(x, weight, eps), each rounded. Differentiable in all three.
at::Tensor AddRmsNorm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                      double eps);

}  // namespace fpo::train
