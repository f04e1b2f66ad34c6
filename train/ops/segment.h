#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fpo::train {

// Sum per response, in float64: values [rows], response_of_row [rows] int64 in 0 .. count-1 (any
// order). Returns [count] float64; a response without rows is 0. Differentiable.
at::Tensor ResponseSums(const at::Tensor& values, const at::Tensor& response_of_row, int64_t count);

// Rows of each response: [count] int64. Does not wait for the device, as at::bincount does.
at::Tensor ResponseSizes(const at::Tensor& response_of_row, int64_t count);

}  // namespace fpo::train
