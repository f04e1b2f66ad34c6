#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/hash.h"

namespace fpo {

// One SAE of a recipe. Everything here changes a record's feature list.
struct SaeRecipe {
  std::string digest;  // hex SHA-256 of the SAE's parameters
  int64_t layer = 0;
  std::string site;  // resid_post | mlp_out | attn_z
  std::string pooling = "mean-response";
  std::string precision = "float32";
  int64_t k = 0;  // TopK: only the k largest features of a token are active; 0: all

  bool operator==(const SaeRecipe&) const = default;
};

// Everything that can change a reference record's value. Excludes tokenizer, paths and names: token
// ids are the input.
struct Recipe {
  std::string
      model_digest;  // hex SHA-256 over the weights and the config values that change the forward
  std::string forward;             // version of the forward recipe, e.g. "gemma-1"
  std::string dtype;               // bfloat16 | float32
  std::string device;              // device class: cpu | cuda
  std::vector<SaeRecipe> sae;      // empty: margin-only
  std::string features = "all";    // all | top:M; "all" when margin-only
  std::string values = "float32";  // of features: float32 | float16; "float32" when margin-only
  std::string quantization = {};   // of frozen projections: nf4 | nf4-double; empty: none

  bool operator==(const Recipe&) const = default;
};

// Canonical JSON (sorted keys, no spaces): the bytes that the id is a digest of, and the form in
// which recipes are sent. `values` is included only when it is not float32, `quantization` only
// when there is one, and an SAE's `k` only when it is not 0, so that ids older than them stay the
// same.
std::string CanonicalRecipe(const Recipe& recipe);
absl::StatusOr<Recipe> ParseRecipe(absl::string_view canonical);  // InvalidArgument; strict
Digest RecipeId(const Recipe& recipe);

// The margin-only recipe contained in a feature recipe: its records serve DPO and LN-DPO jobs.
Recipe MarginRecipe(const Recipe& recipe);

}  // namespace fpo
