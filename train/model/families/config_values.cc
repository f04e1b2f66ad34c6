#include "train/model/families/config_values.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

// Far above any model's, also of all heads together; the sum of 4096 layers of products still fits
// into 64 bits.
constexpr int64_t kSizeMost = int64_t{1} << 24;
constexpr int64_t kLayersMost = 4096;
constexpr double kRopeThetaDefault = 1e4;  // of transformers, for Llama and Qwen 3

absl::StatusOr<Llama3Scaling> ReadLlama3Scaling(const ConfigValues& text, const Json& section) {
  const ConfigValues values(section);
  Llama3Scaling scaling;
  FPO_ASSIGN_OR_RETURN(scaling.factor, values.Positive("factor", std::nullopt));
  FPO_ASSIGN_OR_RETURN(scaling.low_freq_factor, values.Positive("low_freq_factor", std::nullopt));
  FPO_ASSIGN_OR_RETURN(scaling.high_freq_factor, values.Positive("high_freq_factor", std::nullopt));
  // Beside the section transformers does not read it for these models, and takes the whole context.
  constexpr char kOriginal[] = "original_max_position_embeddings";
  const bool inside = !values.At(kOriginal).is_null();
  if (!inside && !text.At(kOriginal).is_null()) {
    return ConfigValues::Refuse(kOriginal, text.At(kOriginal),
                                "it is read in the section of the rotation alone; put it there");
  }
  FPO_ASSIGN_OR_RETURN(scaling.original_positions,
                       inside ? values.Positive(kOriginal, std::nullopt)
                              : text.Positive("max_position_embeddings", std::nullopt));
  if (scaling.low_freq_factor >= scaling.high_freq_factor) {
    return ConfigValues::Refuse(
        "high_freq_factor", scaling.high_freq_factor,
        absl::StrCat("it must be above low_freq_factor, ", scaling.low_freq_factor));
  }
  return scaling;
}

}  // namespace

absl::Status ConfigValues::Refuse(absl::string_view key, const Json& value,
                                  absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("config.json: ", key, " is ", value.dump(), "; ", allowed));
}

const Json& ConfigValues::At(const char* key) const {
  static const Json null;
  const auto found = object_.find(key);
  return found == object_.end() ? null : *found;
}

bool ConfigValues::Has(const char* key) const { return object_.contains(key); }

absl::StatusOr<int64_t> ConfigValues::Count(const char* key,
                                            std::optional<int64_t> fallback) const {
  const Json& value = At(key);
  if (value.is_null() && fallback) return *fallback;
  if (!value.is_number_integer() || value.get<int64_t>() <= 0 || value.get<int64_t>() > kSizeMost) {
    return Refuse(key, value, absl::StrCat("a whole number from 1 to ", kSizeMost, " is needed"));
  }
  return value.get<int64_t>();
}

absl::StatusOr<double> ConfigValues::Positive(const char* key,
                                              std::optional<double> fallback) const {
  const Json& value = At(key);
  if (value.is_null() && fallback) return *fallback;
  if (!value.is_number() || !(value.get<double>() > 0)) {
    return Refuse(key, value, "a positive number is needed");
  }
  return value.get<double>();
}

absl::StatusOr<std::optional<double>> ConfigValues::Softcap(const char* key,
                                                            std::optional<double> fallback) const {
  if (!Has(key)) return fallback;
  if (At(key).is_null()) return std::optional<double>();
  FPO_ASSIGN_OR_RETURN(const double cap, Positive(key, std::nullopt));
  return std::optional<double>(cap);
}

absl::StatusOr<Json> ConfigValues::Section(const char* key) const {
  const Json& value = At(key);
  if (value.is_null()) return Json::object();
  if (!value.is_object()) return Refuse(key, value, "an object is needed");
  return value;
}

absl::Status ReadSizes(const ConfigValues& text, const SizeFallbacks& fallbacks,
                       GemmaConfig* config) {
  const auto refuse = [](const char* key, int64_t value, const std::string& allowed) {
    return ConfigValues::Refuse(key, value, allowed);
  };
  FPO_ASSIGN_OR_RETURN(config->layers, text.Count("num_hidden_layers", fallbacks.layers));
  FPO_ASSIGN_OR_RETURN(config->hidden_size, text.Count("hidden_size", fallbacks.hidden_size));
  FPO_ASSIGN_OR_RETURN(config->intermediate_size,
                       text.Count("intermediate_size", fallbacks.intermediate_size));
  FPO_ASSIGN_OR_RETURN(config->heads, text.Count("num_attention_heads", fallbacks.heads));
  FPO_ASSIGN_OR_RETURN(config->kv_heads, text.Count("num_key_value_heads", fallbacks.kv_heads));
  FPO_ASSIGN_OR_RETURN(config->vocab_size, text.Count("vocab_size", fallbacks.vocab_size));
  FPO_ASSIGN_OR_RETURN(config->head_dim, text.Count("head_dim", fallbacks.head_dim));
  FPO_ASSIGN_OR_RETURN(config->rms_norm_eps, text.Positive("rms_norm_eps", 1e-6));
  if (config->layers > kLayersMost) {
    return refuse("num_hidden_layers", config->layers,
                  absl::StrCat("at most ", kLayersMost, " are supported"));
  }
  if (config->kv_heads == 0) config->kv_heads = config->heads;
  if (config->heads % config->kv_heads != 0) {
    return refuse("num_attention_heads", config->heads,
                  absl::StrCat("it must be a multiple of num_key_value_heads, ", config->kv_heads));
  }
  if (config->head_dim == 0) {
    if (config->hidden_size % config->heads != 0) {
      return refuse("hidden_size", config->hidden_size,
                    absl::StrCat("without a head_dim it must be a multiple of "
                                 "num_attention_heads, ",
                                 config->heads));
    }
    config->head_dim = config->hidden_size / config->heads;
  }
  if (config->heads * config->head_dim > kSizeMost) {
    return refuse("num_attention_heads", config->heads,
                  absl::StrCat("with head_dim ", config->head_dim, " at most ", kSizeMost,
                               " are supported together"));
  }
  if (config->head_dim % 2 != 0) return refuse("head_dim", config->head_dim, "it must be even");
  config->query_pre_attn_scalar = static_cast<double>(config->head_dim);
  return absl::OkStatus();
}

absl::Status ReadLayerTypes(const Json& types, GemmaConfig* config) {
  if (!types.is_array() || static_cast<int64_t>(types.size()) != config->layers) {
    return ConfigValues::Refuse("layer_types", types,
                                absl::StrCat("a list of ", config->layers, " entries is needed"));
  }
  for (const Json& type : types) {
    if (type != "sliding_attention" && type != "full_attention") {
      return ConfigValues::Refuse("layer_types", type,
                                  "allowed are sliding_attention and full_attention");
    }
    config->sliding.push_back(type == "sliding_attention");
  }
  return absl::OkStatus();
}

absl::Status ReadSlidingLayers(const ConfigValues& text, int64_t global_every,
                               GemmaConfig* config) {
  if (text.Has("sliding_window") && text.At("sliding_window").is_null()) {
    return ConfigValues::Refuse("sliding_window", Json(), "sliding layers need a window");
  }
  FPO_ASSIGN_OR_RETURN(config->sliding_window, text.Count("sliding_window", 4096));
  if (const Json& types = text.At("layer_types"); !types.is_null()) {
    return ReadLayerTypes(types, config);
  }
  for (int64_t layer = 0; layer < config->layers; ++layer) {
    config->sliding.push_back((layer + 1) % global_every != 0);
  }
  return absl::OkStatus();
}

const Json& RopeTypeOf(const ConfigValues& section) {
  static const Json plain = "default";
  const Json& type = section.At("rope_type");
  if (!type.is_null()) return type;
  const Json& older = section.At("type");
  return older.is_null() ? plain : older;
}

absl::StatusOr<double> ReadRopeFactor(const char* key, const Json& section, bool may_scale) {
  if (section.is_null()) return 1.0;
  if (!section.is_object()) return ConfigValues::Refuse(key, section, "an object is needed");
  const ConfigValues values(section);
  const Json& type = RopeTypeOf(values);
  if (type == "default") return 1.0;
  if (type != "linear" || !may_scale) {
    return ConfigValues::Refuse(
        absl::StrCat(key, ".rope_type"), type,
        may_scale ? "allowed are default and linear" : "allowed is default");
  }
  return values.Positive("factor", std::nullopt);
}

absl::Status ReadSharedRope(const ConfigValues& text, bool may_stretch, GemmaConfig* config) {
  FPO_ASSIGN_OR_RETURN(const Json scaling, text.Section("rope_scaling"));
  FPO_ASSIGN_OR_RETURN(const Json parameters, text.Section("rope_parameters"));
  const char* const key = scaling.empty() ? "rope_parameters" : "rope_scaling";
  const Json& section = scaling.empty() ? parameters : scaling;
  const ConfigValues values(section);
  for (const auto& [name, value] : section.items()) {
    if (value.is_object()) {
      return ConfigValues::Refuse(key, name, "the layers of this model share one rotation");
    }
  }
  if (const Json& part = values.At("partial_rotary_factor"); !part.is_null() && part != 1.0) {
    return ConfigValues::Refuse(absl::StrCat(key, ".partial_rotary_factor"), part,
                                "this is not supported");
  }
  FPO_ASSIGN_OR_RETURN(const double theta, text.Positive("rope_theta", kRopeThetaDefault));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_global, values.Positive("rope_theta", theta));
  config->rope_theta_local = config->rope_theta_global;
  const Json& type = RopeTypeOf(values);
  if (type == "default") return absl::OkStatus();
  if (type == "linear") {
    FPO_ASSIGN_OR_RETURN(config->rope_scaling_global, values.Positive("factor", std::nullopt));
    return absl::OkStatus();
  }
  if (type == "llama3" && may_stretch) {
    FPO_ASSIGN_OR_RETURN(config->llama3_rope, ReadLlama3Scaling(text, section));
    return absl::OkStatus();
  }
  return ConfigValues::Refuse(
      absl::StrCat(key, ".rope_type"), type,
      may_stretch ? "allowed are default, linear and llama3" : "allowed are default and linear");
}

}  // namespace fpo::train
