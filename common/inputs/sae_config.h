#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/inputs/sae_description.h"
#include "common/inputs/sae_hook.h"
#include "common/inputs/sae_source.h"

namespace fpo {

// What the JSON of an SAE says, completed from the names of its folders. What JSON says is never
// overridden by a name: a difference is noted. InvalidArgument names what is refused.
absl::StatusOr<SaeDescription> DescribeSae(const SaeSource& source);

// From folder names: "…-res/layer_25/width_16k/average_l0_55/params.npz",
// "resid_post/layer_9_width_16k_l0_small/params.safetensors". InvalidArgument for a transcoder,
// crosscoder or affine file.
absl::StatusOr<SaeDescription> DescribeSaePath(const std::string& path);

// From config.json of Gemma Scope 2 or of our own SAEs. `file` names it in errors.
absl::StatusOr<SaeDescription> ParseSaeConfig(absl::string_view json, const std::string& file);

}  // namespace fpo
