#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace fpo {

// Whether a folder is a checkpoint of a run: checkpoints/step-N with manifest.json and state.json.
bool IsCheckpointFolder(const std::string& folder);

// Where config.json, tokenizer and chat template of a model folder are: the folder itself or, for a
// checkpoint, which has none of its own, the model that its run started from. That one is named in
// state.json and in run.json of the run. NotFound, with what to do, when it is not on this machine.
// Folders that are neither are returned unchanged.
absl::StatusOr<std::string> ModelHome(const std::string& folder);

// The digest of the model that a checkpoint's run started from; "" when it is not stated.
std::string StartDigestOf(const std::string& checkpoint);

}  // namespace fpo
