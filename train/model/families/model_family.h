#pragma once

#include <array>

#include "absl/status/status.h"

namespace fpo::train {

struct GemmaConfig;
class ConfigValues;

enum class Architecture { kGemma2, kGemma3, kLlama, kQwen3 };

inline bool IsGemma(Architecture architecture) {
  return architecture == Architecture::kGemma2 || architecture == Architecture::kGemma3;
}

enum class Activation { kGeluTanh, kSilu };

// What all models of a family have in common: how a block is built, and how its config.json is
// read. One file each in families/; sizes and numbers are in GemmaConfig.
struct ModelFamily {
  const char* name;   // in digests, and as ModelShape::family
  const char* title;  // for people
  // Versions of the arithmetic; part of every reference recipe (docs/forward-recipe.md). Changes
  // whenever a result may change. The second one: with attention in one kernel on a GPU
  // (FastPaths::fused_attention), in bfloat16.
  const char* forward_recipe;
  const char* fused_forward_recipe;
  double norm_offset;     // norms multiply by offset + weight
  bool norms_outputs;     // of attention and of the MLP too, before they are added: four norms
  bool qk_norm;           // of each head's queries and keys, before the rotation
  bool scales_embedding;  // by sqrt(hidden_size)
  bool ties_head;         // when config.json does not say
  Activation activation;  // of the MLP's gate
  // Fills a config with `architecture` and `nested` set, but for the tie of the head.
  absl::Status (*read)(const ConfigValues& text, GemmaConfig* config);
};

extern const ModelFamily kGemma2Family, kGemma3Family, kLlamaFamily, kQwen3Family;

const ModelFamily& FamilyOf(Architecture architecture);

}  // namespace fpo::train
