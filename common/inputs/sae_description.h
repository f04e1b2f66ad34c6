#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fpo {

// Whose files an SAE is stored in.
enum class SaeFormat {
  kGemmaScope,
  kSaeLens,
  kSparsify,
  kDictionaryLearning,
  kLlamaScope,
  kQwenScope
};

// The files that a path refers to.
struct SaeSource {
  std::string weights;
  std::string config;  // may be absent
  SaeFormat format = SaeFormat::kGemmaScope;
};

// What names and JSON say about an SAE, before its arrays are read.
struct SaeDescription {
  std::optional<int64_t> layer;
  std::string site;  // resid_post | mlp_out | attn_z, or empty
  std::optional<double> target_l0;
  std::optional<double> l0;  // measured
  bool apply_b_dec_to_input = false;
  bool plain_relu = false;       // no threshold array: "standard", and TopK
  int64_t top_k = 0;             // only the k largest features of a row are active; 0: all
  bool batch_threshold = false;  // BatchTopK: its threshold array has one number for all features
  std::optional<double> threshold;       // of all features, when a config and no array has it
  bool rescale_by_decoder_norm = false;  // pre-activations are multiplied by the decoder's norms
  bool finetuned = false;                // codes are scaled before the decoder
  std::optional<int64_t> d_in;           // width of the site it reads, when JSON says it
  std::optional<int64_t> d_sae;          // features, when JSON says it
  // "expected_average_only_in": activations were multiplied by one number before training, and
  // whether it is folded into the arrays is not stated. "" when nothing is to be done.
  std::string normalization;
  std::optional<double> norm_factor;  // that number, when a file states it
  std::vector<std::string> notes;     // decisions to tell the user
};

}  // namespace fpo
