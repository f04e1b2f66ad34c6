#pragma once

#include "absl/status/statusor.h"
#include "train/model/gemma_config.h"
#include "train/nf4/nf4_tensor.h"
#include "train/ops/named_tensors.h"

namespace fpo::train {

// Canonical names in model order: embedding, blocks, final norm, then lm_head when it is not tied.
std::vector<std::string> WeightNames(const GemmaConfig& config);

// Maps file names to canonical ones and checks that every tensor of the config occurs once, with
// its shape, one common floating dtype and finite values, and that there are no others. Returns
// them in model order, contiguous; of a weight in `packed` its codes.
absl::StatusOr<NamedTensors> OrderWeights(const GemmaConfig& config, const TensorMap& weights,
                                          const Nf4Weights& packed = {});

}  // namespace fpo::train
