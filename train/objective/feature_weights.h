#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace fpo::train {

// Reads phi, the weights of the feature distance (method.feature_weights): one "index weight" per
// line, in any order; blank lines and lines that begin with # are skipped. A feature that is not
// listed has weight 1; weight 0 leaves it unconstrained. Returns [features] float32.
// InvalidArgument names the file and line of an index outside the SAE or given twice, or of a
// weight that is negative or not a number.
absl::StatusOr<at::Tensor> ReadFeatureWeights(const std::string& path, int64_t features);

}  // namespace fpo::train
