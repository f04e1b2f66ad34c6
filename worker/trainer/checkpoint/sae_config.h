#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// What names and JSON say about an SAE, before its arrays are read.
struct SaeDescription {
  std::optional<int64_t> layer;
  std::string site;  // resid_post | mlp_out | attn_z, or empty
  std::optional<double> target_l0;
  std::optional<double> l0;  // measured
  bool apply_b_dec_to_input = false;
  bool plain_relu = false;  // "standard": no threshold array
};

// From folder names: "…-res/layer_25/width_16k/average_l0_55/params.npz",
// "resid_post/layer_9_width_16k_l0_small/params.safetensors". InvalidArgument for a transcoder,
// crosscoder or affine file.
absl::StatusOr<SaeDescription> DescribeSaePath(const std::string& path);

// From config.json of Gemma Scope 2 or of our own SAEs. `file` names it in errors.
absl::StatusOr<SaeDescription> ParseSaeConfig(absl::string_view json, const std::string& file);

// From SAELens' cfg.json.
absl::StatusOr<SaeDescription> ParseSaeLensConfig(absl::string_view json, const std::string& file);

// "model.layers.L.output", "blocks.L.hook_resid_post" ... InvalidArgument for a hook that is none
// of our sites.
absl::Status ParseHook(absl::string_view hook, SaeDescription* description);

// The Hugging Face name of a site's hook, the inverse of ParseHook.
std::string HookName(int64_t layer, const std::string& site);

}  // namespace fpo::train
