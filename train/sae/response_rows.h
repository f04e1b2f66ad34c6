#pragma once

#include <ATen/core/Tensor.h>

#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {

// Sum per response, in float64: values [rows], response_of_row [rows] int64 in 0 .. count-1 (any
// order). Returns [count] float64; a response without rows is 0. Differentiable.
at::Tensor ResponseSums(const at::Tensor& values, const at::Tensor& response_of_row, int64_t count);

// Rows of each response: [count] int64. Does not wait for the device, as at::bincount does.
at::Tensor ResponseSizes(const at::Tensor& response_of_row, int64_t count);

// Throws c10::Error when rows, owners and width do not fit together. The owners' values are checked
// on the CPU only: reading them from a device would wait for it.
void CheckResponseRows(const ResponseRows& input, int64_t width);

}  // namespace fpo::train
