#pragma once

#include "absl/status/statusor.h"
#include "train/model/gemma_config.h"
#include "train/ops/named_tensors.h"

namespace fpo::train {

// Canonical names in model order: embedding, blocks, final norm, then lm_head when it is not tied.
std::vector<std::string> WeightNames(const GemmaConfig& config);

// Maps file names to canonical ones and checks that every tensor of the config occurs once, with
// its shape, one common floating dtype and finite values, and that there are no others. Returns
// them in model order, contiguous.
absl::StatusOr<NamedTensors> OrderWeights(const GemmaConfig& config, const TensorMap& weights);

}  // namespace fpo::train
