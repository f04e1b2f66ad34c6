#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/inputs/model_shape.h"
#include "common/inputs/sae_config.h"

// Whether an SAE can be used where a job wants it. fpoctl checks what names and JSON say, fpo-train
// checks everything; sharing this code gives both the same messages.
namespace fpo {

// Completes the SAE's layer and site with the job's. InvalidArgument when they contradict each
// other, or when neither states the layer or the site.
absl::Status ResolvePlace(const std::string& path, std::optional<int64_t> layer,
                          const std::string& site, SaeDescription* description);

// Decides what is done about activations that were scaled before training. `option` is the job's
// sae.normalization: "" or "folded". Leaves the description without a normalisation (it is folded
// already), or with the factor that is to be folded. InvalidArgument when the files do not say and
// the job does not either.
absl::Status ResolveNormalisation(const std::string& path, const std::string& option,
                                  SaeDescription* description);

// InvalidArgument for an SAE of another model: a layer that the model does not have or, when both
// are known, another width.
absl::Status CheckSaeFits(const std::string& path, const SaeDescription& sae,
                          const ModelShape& model);

// The same for a layer that the job itself names, without an SAE.
absl::Status CheckLayer(int64_t layer, const ModelShape& model);

}  // namespace fpo
