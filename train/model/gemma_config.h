#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/model/families/model_family.h"
#include "train/ops/rms_norm.h"
#include "train/ops/rope.h"

namespace fpo::train {

// The values of a Hugging Face config.json that change the forward.
struct GemmaConfig {
  Architecture architecture = Architecture::kGemma2;
  int64_t layers = 0;
  int64_t hidden_size = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t intermediate_size = 0;
  int64_t vocab_size = 0;
  double query_pre_attn_scalar = 0;
  std::optional<double> attention_softcap;  // Gemma-2: 50
  std::optional<double> final_softcap;      // Gemma-2: 30
  int64_t sliding_window = 0;
  std::vector<bool> sliding;  // per layer: sliding window, or the whole past
  double rope_theta_global = 10000;
  double rope_theta_local = 10000;           // of sliding layers
  double rope_scaling_global = 1;            // linear; Gemma-3's sliding layers have none
  std::optional<Llama3Scaling> llama3_rope;  // Llama 3.1 and later
  double rms_norm_eps = 1e-6;
  bool tied_head = true;
  bool nested =
      false;  // came from text_config: weight files may hold a vision tower, which is left out

  // Known mistakes in published files, for the job's report.
  std::vector<std::string> warnings;

  const ModelFamily& family() const { return FamilyOf(architecture); }
  bool qk_norm() const { return family().qk_norm; }
  NormOptions norm() const { return {rms_norm_eps, family().norm_offset}; }
  RopeOptions rope(bool slides) const;  // of a sliding layer, or of the others
};

// Reads a config.json, in the old and new key forms. InvalidArgument names the key, its value and
// what is allowed: unknown architectures, activations, layer or RoPE types, biases and
// bidirectional attention are refused.
absl::StatusOr<GemmaConfig> ParseGemmaConfig(absl::string_view json_text);

// Canonical text of everything that changes the forward; part of the model digest.
std::string ConfigText(const GemmaConfig& config);

// Hugging Face names ("model.layers.0.self_attn.q_proj.weight") to shapes. "lm_head.weight" only
// when the head is not tied.
std::map<std::string, std::vector<int64_t>> TensorShapes(const GemmaConfig& config);

int64_t ParameterCount(const GemmaConfig& config);

GemmaConfig Gemma2_2B();
GemmaConfig Gemma3_270M();
// A few thousand parameters with every feature on: softcaps (Gemma-2) or QK-norm (Gemma-3, Qwen 3),
// a window of 4 (but Llama), grouped heads, an odd half head_dim, a query scalar that differs from
// head_dim (Gemma), stretched rotations (Llama).
GemmaConfig TinyForTest(Architecture architecture = Architecture::kGemma2);

}  // namespace fpo::train
