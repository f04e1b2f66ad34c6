#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// a b: [m, inner] x [inner, n] -> [m, n]; either may be a transposed view. As at::mm, except that
// large products of float32 on a CPU with AVX-512 that is not Intel's are oneDNN's: MKL, which
// at::mm calls, has no such kernels for AMD's processors and takes twice as long there. On Intel's
// MKL is the faster one: it needs no copy of a transposed operand. Not differentiable.
at::Tensor MatrixProduct(const at::Tensor& a, const at::Tensor& b);

// The same product written to `into` [m, n], or added to it, without a second matrix of its size;
// `into` may be rows of a larger matrix. Not differentiable.
void StoreMatrixProduct(const at::Tensor& into, const at::Tensor& a, const at::Tensor& b);
void AddMatrixProduct(const at::Tensor& into, const at::Tensor& a, const at::Tensor& b);

// at::linear without a bias: x [..., in], weight [out, in] -> [..., out]. Differentiable.
at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight);

}  // namespace fpo::train
