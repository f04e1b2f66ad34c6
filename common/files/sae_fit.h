#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/files/model_shape.h"
#include "common/files/sae_config.h"

// Whether an SAE can be used where a job wants it: asked by fpoctl, of what names and JSON say, and
// by fpo-train, of all. What the two say to people is therefore one.
namespace fpo {

// Completes what the SAE says of its place by what the job says. InvalidArgument when they
// contradict each other, or when neither says the layer or the site.
absl::Status SettlePlace(const std::string& path, std::optional<int64_t> layer,
                         const std::string& site, SaeDescription* description);

// InvalidArgument for an SAE of another model: of a layer that the model does not have or, where
// both are known, of another width.
absl::Status CheckSaeFits(const std::string& path, const SaeDescription& sae,
                          const ModelShape& model);

// The same of a place that the job itself names, without an SAE.
absl::Status CheckLayer(int64_t layer, const ModelShape& model);

}  // namespace fpo
