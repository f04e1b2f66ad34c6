#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// Of RmsNorm: x * rsqrt(mean(x^2) + eps) * (offset + weight). Gemma's weights are differences from
// 1, those of other families factors: offset 0.
struct NormOptions {
  NormOptions(double epsilon, double added = 1) : eps(epsilon), offset(added) {}  // NOLINT

  double eps;
  double offset;
};

// The norm over the last dimension: x * rsqrt(mean(x^2) + eps) * (offset + weight), computed in
// float32 (float64 for float64 input) and rounded once to x's dtype. x: [..., d], weight: [d].
// Differentiable in both. A number as options is the eps of Gemma's norm, whose offset is 1.
at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, const NormOptions& options);

// residual + RmsNorm(x, weight, options), each rounded. Differentiable in all three.
at::Tensor AddRmsNorm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                      const NormOptions& options);

}  // namespace fpo::train
