#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// a b: [m, inner] x [inner, n] -> [m, n]; either may be a transposed view. As at::mm, except that
// large products of float32 on a CPU with AVX-512 are oneDNN's: MKL, which at::mm calls, has no
// such kernels for AMD's processors and takes twice as long there. Not differentiable.
at::Tensor MatrixProduct(const at::Tensor& a, const at::Tensor& b);

// at::linear without a bias: x [..., in], weight [out, in] -> [..., out]. Differentiable.
at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight);

}  // namespace fpo::train
