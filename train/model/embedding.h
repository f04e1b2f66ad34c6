#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

// Rows of weight [vocab, d] for ids [batch, seq], times sqrt(d) rounded to the weight's dtype. The
// gradient is summed in float32.
at::Tensor ScaledEmbedding(const at::Tensor& weight, const at::Tensor& ids);

// The rows as they are.
at::Tensor PlainEmbedding(const at::Tensor& weight, const at::Tensor& ids);

}  // namespace fpo::train
