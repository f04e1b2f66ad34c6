#pragma once

#include <cstdint>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/model/gemma_config.h"

namespace fpo::train {

// A config.json or a section of it, for the readers of the families; its errors, InvalidArgument,
// name the key, its value and what is allowed. Does not own the object.
class ConfigValues {
 public:
  using Json = nlohmann::json;
  explicit ConfigValues(const Json& object) : object_(object) {}

  // Null when it is missing or null: Hugging Face writes both for "not set".
  const Json& At(const char* key) const;
  bool Has(const char* key) const;  // also as null
  absl::StatusOr<int64_t> Count(const char* key, std::optional<int64_t> fallback) const;
  absl::StatusOr<double> Positive(const char* key, std::optional<double> fallback) const;
  // A missing key takes the fallback, null means none.
  absl::StatusOr<std::optional<double>> Softcap(const char* key,
                                                std::optional<double> fallback) const;
  // An object; an empty one when the key is missing.
  absl::StatusOr<Json> Section(const char* key) const;

  static absl::Status Refuse(absl::string_view key, const Json& value, absl::string_view allowed);

 private:
  const Json& object_;
};

// Values of keys that are missing; nullopt: the key must be there.
struct SizeFallbacks {
  std::optional<int64_t> layers, hidden_size, intermediate_size, heads, vocab_size;
  std::optional<int64_t> kv_heads;  // 0: as many as heads
  std::optional<int64_t> head_dim;  // 0: hidden_size / heads
};

// The sizes, rms_norm_eps, and head_dim as query_pre_attn_scalar.
absl::Status ReadSizes(const ConfigValues& text, const SizeFallbacks& fallbacks,
                       GemmaConfig* config);

// `layer_types`, one for each layer.
absl::Status ReadLayerTypes(const nlohmann::json& types, GemmaConfig* config);

// Of Gemma: sliding_window, and layer_types or else every n-th layer global.
absl::Status ReadSlidingLayers(const ConfigValues& text, int64_t global_every, GemmaConfig* config);

// The type of a section of RoPE: "default" when it is missing; older files write "type".
const nlohmann::json& RopeTypeOf(const ConfigValues& section);

// The linear factor of a section of RoPE, 1 when there is none. `key` names it in errors.
absl::StatusOr<double> ReadRopeFactor(const char* key, const nlohmann::json& section,
                                      bool may_scale);

// One rotation for all layers, as Llama and Qwen 3 have it, from rope_scaling or rope_parameters:
// default, linear or, where `may_stretch`, llama3.
absl::Status ReadSharedRope(const ConfigValues& text, bool may_stretch, GemmaConfig* config);

}  // namespace fpo::train
