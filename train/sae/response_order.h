#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {

// The row numbers of each response, [rows of that response] int64, one tensor per response.
std::vector<at::Tensor> RowsByResponse(const ResponseRows& input);

// Throws c10::Error when rows, owners and width do not fit together. The owners' values are checked
// on the CPU only: reading them from a device would wait for it.
void CheckResponseRows(const ResponseRows& input, int64_t width);

}  // namespace fpo::train
