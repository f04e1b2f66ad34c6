#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/hash.h"

namespace fpo::train {

// A frozen sparse autoencoder as read from disk. d = width of its site, F = features. All float32,
// contiguous, on the CPU.
struct SaeParameters {
  at::Tensor w_enc;      // [d, F]
  at::Tensor w_dec;      // [F, d]; undefined when the file has none (only health metrics need it)
  at::Tensor b_enc;      // [F]
  at::Tensor b_dec;      // [d]
  at::Tensor threshold;  // [F]; zeros for a plain ReLU SAE
  int64_t layer = 0;
  std::string site;                   // resid_post | mlp_out | attn_z
  std::optional<double> target_l0;    // active features per token that it was trained for
  std::optional<double> l0;           // measured active features per token
  bool apply_b_dec_to_input = false;  // subtract b_dec from x before the encoder
  int64_t top_k = 0;                  // only the k largest codes of a row are active; 0: all
  // "gemma-scope" | "gemma-scope-2" | "saelens" | "sparsify" | "dictionary_learning" |
  // "llama-scope" | "qwen-scope"
  std::string source;
  std::vector<std::string> notes;  // what was decided while reading it; for the user
  // SHA-256 over the parameters, layer, site, apply_b_dec_to_input and top_k; not over paths
  Digest digest{};
};

// Reads what FindSaeSource finds: Gemma Scope .npz, Gemma Scope 2 .safetensors, SAELens, sparsify
// and dictionary_learning folders. Layer and site come from the config, then from the folder names;
// `layer` and `site` (empty: not given) supply what those do not state and must agree with what
// they do; `normalization` is the job's word (ResolveNormalisation). What other libraries apply at
// run time is folded into the arrays. InvalidArgument names what is rejected and why: transcoders,
// crosscoders, affine files, gated SAEs, scaling factors, normalisations by row, pickle files,
// shapes that do not match, a layer or site that is stated nowhere.
absl::StatusOr<SaeParameters> LoadSaeFile(const std::string& path,
                                          std::optional<int64_t> layer = std::nullopt,
                                          const std::string& site = "",
                                          const std::string& normalization = "");

// Writes FOLDER/params.npz (Gemma Scope's arrays) and FOLDER/config.json with layer, site,
// target_l0 and l0; LoadSaeFile reads it back.
absl::Status WriteSaeFile(const std::string& folder, const SaeParameters& sae);

}  // namespace fpo::train
