#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

absl::Status Refuse(absl::string_view key, const Json& value, absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("config.json: ", key, " is ", value.dump(), "; ", allowed));
}

// The value of a key, or null when it is missing or null: Hugging Face writes both for "not set".
const Json& At(const Json& object, const char* key) {
  static const Json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

absl::StatusOr<int64_t> Count(const Json& object, const char* key,
                              std::optional<int64_t> fallback) {
  const Json& value = At(object, key);
  if (value.is_null() && fallback) return *fallback;
  if (!value.is_number_integer() || value.get<int64_t>() <= 0 ||
      value.get<int64_t>() > (int64_t{1} << 31)) {
    return Refuse(key, value, "a positive whole number is needed");
  }
  return value.get<int64_t>();
}

absl::StatusOr<double> Positive(const Json& object, const char* key,
                                std::optional<double> fallback) {
  const Json& value = At(object, key);
  if (value.is_null() && fallback) return *fallback;
  if (!value.is_number() || !(value.get<double>() > 0)) {
    return Refuse(key, value, "a positive number is needed");
  }
  return value.get<double>();
}

// A softcap: a missing key takes the architecture's default, null means none.
absl::StatusOr<std::optional<double>> Softcap(const Json& object, const char* key,
                                              std::optional<double> fallback) {
  const auto found = object.find(key);
  if (found == object.end()) return fallback;
  if (found->is_null()) return std::optional<double>();
  FPO_ASSIGN_OR_RETURN(const double cap, Positive(object, key, std::nullopt));
  return std::optional<double>(cap);
}

absl::StatusOr<Architecture> ParseArchitecture(const Json& root, const Json& text) {
  const Json& type = At(root, "model_type");
  if (type == "gemma2") return Architecture::kGemma2;
  if (type == "gemma3_text") return Architecture::kGemma3;
  if (type == "gemma3" && &text != &root) {
    const Json& inner = At(text, "model_type");
    if (inner.is_null() || inner == "gemma3_text") return Architecture::kGemma3;
    return Refuse("text_config.model_type", inner, "allowed is gemma3_text");
  }
  return Refuse("model_type", type,
                "supported are gemma2, gemma3_text, and gemma3 with a text_config");
}

absl::Status RefuseUnsupported(const Json& text) {
  for (const char* key : {"attention_bias", "use_bidirectional_attention"}) {
    const Json& value = At(text, key);
    if (!value.is_null() && value != false) return Refuse(key, value, "this is not supported");
  }
  for (const char* key : {"attention_dropout", "hidden_dropout"}) {
    const Json& value = At(text, key);
    if (!value.is_null() && value != 0.0) return Refuse(key, value, "dropout is not supported");
  }
  if (const Json& value = At(text, "quantization_config"); !value.is_null()) {
    return Refuse("quantization_config", value, "only unquantised weights can be trained");
  }
  const char* key = At(text, "hidden_activation").is_null() ? "hidden_act" : "hidden_activation";
  const Json& activation = At(text, key);
  if (!activation.is_null() && activation != "gelu_pytorch_tanh") {
    return Refuse(key, activation, "allowed is gelu_pytorch_tanh");
  }
  return absl::OkStatus();
}

absl::Status ParseSizes(const Json& text, GemmaConfig* config) {
  // Multimodal files omit values equal to the format's defaults; text-only files are complete.
  const auto fallback = [config](int64_t value) {
    return config->nested ? std::optional<int64_t>(value) : std::nullopt;
  };
  FPO_ASSIGN_OR_RETURN(config->layers, Count(text, "num_hidden_layers", std::nullopt));
  FPO_ASSIGN_OR_RETURN(config->hidden_size, Count(text, "hidden_size", std::nullopt));
  FPO_ASSIGN_OR_RETURN(config->intermediate_size, Count(text, "intermediate_size", std::nullopt));
  FPO_ASSIGN_OR_RETURN(config->heads, Count(text, "num_attention_heads", fallback(8)));
  FPO_ASSIGN_OR_RETURN(config->kv_heads, Count(text, "num_key_value_heads", fallback(4)));
  FPO_ASSIGN_OR_RETURN(config->vocab_size, Count(text, "vocab_size", fallback(262208)));
  FPO_ASSIGN_OR_RETURN(config->head_dim, Count(text, "head_dim", 256));
  FPO_ASSIGN_OR_RETURN(config->query_pre_attn_scalar, Positive(text, "query_pre_attn_scalar", 256));
  FPO_ASSIGN_OR_RETURN(config->rms_norm_eps, Positive(text, "rms_norm_eps", 1e-6));
  if (config->layers > 4096) {
    return Refuse("num_hidden_layers", text["num_hidden_layers"], "at most 4096 are supported");
  }
  if (config->heads % config->kv_heads != 0) {
    return Refuse("num_attention_heads", config->heads,
                  absl::StrCat("it must be a multiple of num_key_value_heads, ", config->kv_heads));
  }
  if (config->head_dim % 2 != 0) return Refuse("head_dim", config->head_dim, "it must be even");
  const Json& tied = At(text, "tie_word_embeddings");
  if (!tied.is_null() && !tied.is_boolean()) {
    return Refuse("tie_word_embeddings", tied, "true or false is needed");
  }
  config->tied_head = tied.is_null() || tied.get<bool>();
  return absl::OkStatus();
}

absl::Status ParseSoftcaps(const Json& text, GemmaConfig* config) {
  const bool gemma2 = config->architecture == Architecture::kGemma2;
  FPO_ASSIGN_OR_RETURN(
      config->attention_softcap,
      Softcap(text, "attn_logit_softcapping", gemma2 ? std::optional<double>(50) : std::nullopt));
  FPO_ASSIGN_OR_RETURN(
      config->final_softcap,
      Softcap(text, "final_logit_softcapping", gemma2 ? std::optional<double>(30) : std::nullopt));
  if (!gemma2 && config->attention_softcap) {
    return Refuse("attn_logit_softcapping", *config->attention_softcap,
                  "Gemma-3 has none: null is needed");
  }
  return absl::OkStatus();
}

absl::Status ParseLayerTypes(const Json& types, GemmaConfig* config) {
  if (!types.is_array() || static_cast<int64_t>(types.size()) != config->layers) {
    return Refuse("layer_types", types,
                  absl::StrCat("a list of ", config->layers, " entries is needed"));
  }
  for (const Json& type : types) {
    if (type != "sliding_attention" && type != "full_attention") {
      return Refuse("layer_types", type, "allowed are sliding_attention and full_attention");
    }
    config->sliding.push_back(type == "sliding_attention");
  }
  return absl::OkStatus();
}

absl::Status ParseLayers(const Json& text, GemmaConfig* config) {
  const bool gemma2 = config->architecture == Architecture::kGemma2;
  FPO_ASSIGN_OR_RETURN(config->sliding_window, Count(text, "sliding_window", 4096));
  if (const Json& types = At(text, "layer_types"); !types.is_null()) {
    return ParseLayerTypes(types, config);
  }
  int64_t global_every = 2;
  if (!gemma2) {
    const char* key = At(text, "sliding_window_pattern").is_null() ? "_sliding_window_pattern"
                                                                   : "sliding_window_pattern";
    FPO_ASSIGN_OR_RETURN(global_every, Count(text, key, 6));
  }
  for (int64_t layer = 0; layer < config->layers; ++layer) {
    config->sliding.push_back((layer + 1) % global_every != 0);
  }
  return absl::OkStatus();
}

// A RoPE section: its type ("default" when absent; older files write "type") and linear factor.
absl::StatusOr<double> RopeFactor(const char* key, const Json& section, bool may_scale) {
  if (section.is_null()) return 1.0;
  if (!section.is_object()) return Refuse(key, section, "an object is needed");
  const Json& type =
      At(section, "rope_type").is_null() ? At(section, "type") : At(section, "rope_type");
  if (type.is_null() || type == "default") return 1.0;
  if (type != "linear" || !may_scale) {
    return Refuse(absl::StrCat(key, ".rope_type"), type,
                  may_scale ? "allowed are default and linear" : "allowed is default");
  }
  return Positive(section, "factor", std::nullopt);
}

absl::Status ParseGemma3RopePerType(const Json& parameters, GemmaConfig* config) {
  for (const auto& [type, section] : parameters.items()) {
    if (type != "full_attention" && type != "sliding_attention") {
      return Refuse("rope_parameters", type, "allowed are full_attention and sliding_attention");
    }
  }
  const Json& global = At(parameters, "full_attention");
  const Json& local = At(parameters, "sliding_attention");
  if (!global.is_object() || !local.is_object()) {
    return Refuse("rope_parameters", parameters,
                  "full_attention and sliding_attention are both needed");
  }
  FPO_ASSIGN_OR_RETURN(config->rope_theta_global, Positive(global, "rope_theta", 1e6));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_local, Positive(local, "rope_theta", 1e4));
  FPO_ASSIGN_OR_RETURN(config->rope_scaling_global,
                       RopeFactor("rope_parameters.full_attention", global, true));
  return RopeFactor("rope_parameters.sliding_attention", local, false).status();
}

absl::Status ParseRope(const Json& text, GemmaConfig* config) {
  const Json& parameters = At(text, "rope_parameters");
  if (config->architecture == Architecture::kGemma2) {
    const Json& source = parameters.is_object() ? parameters : text;
    FPO_ASSIGN_OR_RETURN(config->rope_theta_global, Positive(source, "rope_theta", 1e4));
    config->rope_theta_local = config->rope_theta_global;
    FPO_RETURN_IF_ERROR(RopeFactor("rope_parameters", parameters, false).status());
    return RopeFactor("rope_scaling", At(text, "rope_scaling"), false).status();
  }
  if (!parameters.is_null()) {
    if (!parameters.is_object())
      return Refuse("rope_parameters", parameters, "an object is needed");
    return ParseGemma3RopePerType(parameters, config);
  }
  FPO_ASSIGN_OR_RETURN(config->rope_theta_global, Positive(text, "rope_theta", 1e6));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_local, Positive(text, "rope_local_base_freq", 1e4));
  FPO_ASSIGN_OR_RETURN(config->rope_scaling_global,
                       RopeFactor("rope_scaling", At(text, "rope_scaling"), true));
  return absl::OkStatus();
}

void AddWarnings(GemmaConfig* config) {
  if (config->architecture == Architecture::kGemma2 && config->hidden_size == 3584 &&
      config->query_pre_attn_scalar == 224) {
    config->warnings.emplace_back(
        "config.json: query_pre_attn_scalar is 224, a known mistake in early Gemma-2 9B files; "
        "the model was trained with 256");
  }
}

}  // namespace

absl::StatusOr<GemmaConfig> ParseGemmaConfig(absl::string_view json_text) {
  const Json root = Json::parse(json_text.begin(), json_text.end(), nullptr,
                                /*allow_exceptions=*/false);
  if (!root.is_object()) return absl::InvalidArgumentError("config.json: not a JSON object");
  const Json& nested = At(root, "text_config");
  const Json& text = nested.is_object() ? nested : root;
  GemmaConfig config;
  config.nested = &text != &root;
  FPO_ASSIGN_OR_RETURN(config.architecture, ParseArchitecture(root, text));
  FPO_RETURN_IF_ERROR(RefuseUnsupported(root));
  FPO_RETURN_IF_ERROR(RefuseUnsupported(text));
  FPO_RETURN_IF_ERROR(ParseSizes(text, &config));
  FPO_RETURN_IF_ERROR(ParseSoftcaps(text, &config));
  FPO_RETURN_IF_ERROR(ParseLayers(text, &config));
  FPO_RETURN_IF_ERROR(ParseRope(text, &config));
  AddWarnings(&config);
  return config;
}

}  // namespace fpo::train
