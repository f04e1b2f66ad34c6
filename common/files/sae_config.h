#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// What names and JSON say about an SAE, before its arrays are read.
struct SaeDescription {
  std::optional<int64_t> layer;
  std::string site;  // resid_post | mlp_out | attn_z, or empty
  std::optional<double> target_l0;
  std::optional<double> l0;  // measured
  bool apply_b_dec_to_input = false;
  bool plain_relu = false;      // "standard": no threshold array
  std::optional<int64_t> d_in;  // width of the site it reads, when JSON says it
};

// The file or folder that a path refers to, and which of the three kinds it is.
struct SaeSource {
  std::string weights;
  std::string config;  // may be absent
  bool saelens = false;
};

// A folder means params.npz, params.safetensors, or cfg.json with sae_weights.safetensors in it.
// NotFound; InvalidArgument for anything else, and for pickle files.
absl::StatusOr<SaeSource> FindSaeSource(const std::string& path);

// Combines its folder names and its JSON; InvalidArgument when they contradict each other.
absl::StatusOr<SaeDescription> DescribeSae(const SaeSource& source);

// From folder names: "…-res/layer_25/width_16k/average_l0_55/params.npz",
// "resid_post/layer_9_width_16k_l0_small/params.safetensors". InvalidArgument for a transcoder,
// crosscoder or affine file.
absl::StatusOr<SaeDescription> DescribeSaePath(const std::string& path);

// From config.json of Gemma Scope 2 or of our own SAEs. `file` names it in errors.
absl::StatusOr<SaeDescription> ParseSaeConfig(absl::string_view json, const std::string& file);

// From SAELens' cfg.json.
absl::StatusOr<SaeDescription> ParseSaeLensConfig(absl::string_view json, const std::string& file);

// "model.layers.L.output", "blocks.L.hook_resid_post" ... InvalidArgument for a hook that is not
// one of our sites.
absl::Status ParseHook(absl::string_view hook, SaeDescription* description);

// The Hugging Face name of a site's hook, the inverse of ParseHook.
std::string HookName(int64_t layer, const std::string& site);

}  // namespace fpo
