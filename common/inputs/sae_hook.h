#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/inputs/sae_description.h"

namespace fpo {

// Sets layer and site from the name of a hook: of TransformerLens ("blocks.L.hook_resid_post"), of
// a Hugging Face module ("model.layers.L", whose output it is) or of Gemma Scope 2
// ("model.layers.L.output"). The input of a layer is the output of the one before it.
// InvalidArgument for a hook that is not one of our sites, with the reason where there is one.
absl::Status ParseHook(absl::string_view hook, SaeDescription* description);

// The Hugging Face name of a site's hook, the inverse of ParseHook; "" for an unknown site.
std::string HookName(int64_t layer, const std::string& site);

}  // namespace fpo
