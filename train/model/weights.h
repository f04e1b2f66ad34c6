#pragma once

#include "absl/status/statusor.h"
#include "train/model/gemma_config.h"
#include "train/ops/named_tensors.h"

namespace fpo::train {

// Canonical names in model order: embedding, blocks, final norm, then lm_head when it is not tied.
std::vector<std::string> WeightNames(const GemmaConfig& config);

// Brings file names to canonical ones, checks that every tensor of the config is there once with
// its shape, one common floating dtype and finite values, and nothing else. Returns them in model
// order, contiguous.
absl::StatusOr<NamedTensors> OrderWeights(const GemmaConfig& config, const TensorMap& weights);

}  // namespace fpo::train
