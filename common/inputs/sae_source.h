#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/inputs/sae_description.h"

namespace fpo {

// Finds the files of an SAE. A folder means params.npz or params.safetensors (Gemma Scope), or
// cfg.json with sae_weights.safetensors (SAELens) or sae.safetensors (sparsify), or config.json of
// dictionary_learning with one .safetensors. NotFound; InvalidArgument for anything else: pickle
// files, with a command that converts them, and folders of several SAEs.
absl::StatusOr<SaeSource> FindSaeSource(const std::string& path);

}  // namespace fpo
