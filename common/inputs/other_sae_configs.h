#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/inputs/sae_description.h"

namespace fpo {

// From cfg.json of EleutherAI's sparsify. It names no hook: the folder does, "layers.12".
// InvalidArgument for transcoders, skip connections and an activation other than topk.
absl::StatusOr<SaeDescription> ParseSparsifyConfig(absl::string_view json, const std::string& file);

// From config.json of dictionary_learning ({"trainer": {"dict_class": ...}}). InvalidArgument for
// gated and other classes, and for submodules that are not one of our sites.
absl::StatusOr<SaeDescription> ParseDictionaryLearningConfig(absl::string_view json,
                                                             const std::string& file);

}  // namespace fpo
