#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/generate/token_choice.h"

namespace fpo::train {

// What a model folder says about generating from it.
struct GenerationDefaults {
  std::vector<int32_t> stops;        // eos_token_id, one or a list
  std::optional<Sampling> sampling;  // only when it asks for sampling (do_sample)
};

// generation_config.json; in a folder without one, eos_token_id of config.json, as transformers
// does. DataLoss names a file that is not JSON; InvalidArgument an eos_token_id that is no id.
absl::StatusOr<GenerationDefaults> ReadGenerationDefaults(const std::string& model_folder);

}  // namespace fpo::train
