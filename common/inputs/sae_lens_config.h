#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/inputs/sae_description.h"

namespace fpo {

// From SAELens' cfg.json, of versions 2 to 6, with the values that its own loader fills in: without
// a word about it b_dec is subtracted from the input, and the architecture is a plain ReLU.
// InvalidArgument names what is refused: gated and other architectures, transcoders, normalisations
// that depend on the row, one head of attention, hooks that are not one of our sites.
absl::StatusOr<SaeDescription> ParseSaeLensConfig(absl::string_view json, const std::string& file);

// The factor that SAELens' activation_scaler.json states; nullopt when it is null.
absl::StatusOr<std::optional<double>> ParseActivationScaler(absl::string_view json,
                                                            const std::string& file);

}  // namespace fpo
