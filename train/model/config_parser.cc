#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/inputs/model_kind.h"
#include "common/status_macros.h"
#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr int64_t kWidthMost = int64_t{1} << 24;  // of all heads together

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
  // Far above any model's; the sum of 4096 layers of products still fits into 64 bits.
  constexpr int64_t kMost = kWidthMost;
  if (!value.is_number_integer() || value.get<int64_t>() <= 0 || value.get<int64_t>() > kMost) {
    return Refuse(key, value, absl::StrCat("a whole number from 1 to ", kMost, " is needed"));
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
  if (type == "gemma3_text") {
    if (At(text, "use_bidirectional_attention") == true) {
      return Refuse("use_bidirectional_attention", true,
                    "this is EmbeddingGemma or a model made like it, which predicts no tokens");
    }
    return Architecture::kGemma3;
  }
  if (type == "gemma3" && &text != &root) {
    const Json& inner = At(text, "model_type");
    if (inner.is_null() || inner == "gemma3_text") return Architecture::kGemma3;
    return Refuse("text_config.model_type", inner, "allowed is gemma3_text");
  }
  if (type == "gemma3") {
    return Refuse("model_type", type,
                  "without a text_config, whose values transformers would take from its defaults; "
                  "a model of text only has model_type gemma3_text");
  }
  const std::string name = type.is_string() ? type.get<std::string>() : "";
  return Refuse("model_type", type, absl::StrCat("the model ", ForeignModelType(name)));
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
  for (const char* key : {"quantization_config", "compression_config"}) {
    const std::string name = QuantisationName(At(text, key).dump());
    if (name.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat("config.json: ", key, " names ", name,
                                                   ": the weights are quantised, and only "
                                                   "unquantised ones can be trained; ",
                                                   DequantiseHint("FOLDER")));
  }
  if (const Json& part = At(text, "partial_rotary_factor"); !part.is_null() && part != 1.0) {
    return Refuse("partial_rotary_factor", part, "this is not supported");
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
  FPO_ASSIGN_OR_RETURN(config->layers, Count(text, "num_hidden_layers", fallback(26)));
  FPO_ASSIGN_OR_RETURN(config->hidden_size, Count(text, "hidden_size", fallback(2304)));
  FPO_ASSIGN_OR_RETURN(config->intermediate_size, Count(text, "intermediate_size", fallback(9216)));
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
  if (config->heads * config->head_dim > kWidthMost) {
    return Refuse("num_attention_heads", config->heads,
                  absl::StrCat("with head_dim ", config->head_dim, " at most ", kWidthMost,
                               " are supported together"));
  }
  if (config->head_dim % 2 != 0) return Refuse("head_dim", config->head_dim, "it must be even");
  return absl::OkStatus();
}

// A nested file may say it in both places. Older versions of transformers read the inner one, newer
// ones the outer one.
absl::Status ParseTie(const Json& root, const Json& text, GemmaConfig* config) {
  const Json& inner = At(text, "tie_word_embeddings");
  const Json& outer = At(root, "tie_word_embeddings");
  for (const Json* tied : {&inner, &outer}) {
    if (!tied->is_null() && !tied->is_boolean()) {
      return Refuse("tie_word_embeddings", *tied, "true or false is needed");
    }
  }
  if (!inner.is_null() && !outer.is_null() && inner != outer) {
    return Refuse(
        "tie_word_embeddings", outer,
        absl::StrCat("but in text_config it is ", inner.dump(),
                     ", and versions of transformers differ in which they read; make them "
                     "equal"));
  }
  const Json& said = inner.is_null() ? outer : inner;
  config->tied_head = said.is_null() || said.get<bool>();
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
  if (text.contains("sliding_window") && text["sliding_window"].is_null()) {
    return Refuse("sliding_window", Json(), "sliding layers need a window");
  }
  FPO_ASSIGN_OR_RETURN(config->sliding_window, Count(text, "sliding_window", 4096));
  if (const Json& types = At(text, "layer_types"); !types.is_null()) {
    return ParseLayerTypes(types, config);
  }
  int64_t global_every = 2;
  if (!gemma2) {
    FPO_ASSIGN_OR_RETURN(global_every, Count(text, "sliding_window_pattern", 6));
    // transformers writes this key and never reads it.
    const Json& written = At(text, "_sliding_window_pattern");
    if (!written.is_null() && written != global_every) {
      return Refuse("_sliding_window_pattern", written,
                    absl::StrCat("transformers does not read it and takes ", global_every,
                                 "; give layer_types"));
    }
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

// Keys beside the sections of rope_parameters: transformers 5.0 to 5.16 wrote the flat form next to
// them, or alone, and no version reads it for Gemma 3.
absl::Status CheckFlatRope(const Json& parameters, GemmaConfig* config) {
  std::vector<std::string> flat;
  for (const auto& [key, value] : parameters.items()) {
    if (key == "full_attention" || key == "sliding_attention") continue;
    if (value.is_object()) {
      return Refuse("rope_parameters", key, "allowed are full_attention and sliding_attention");
    }
    flat.push_back(key);
  }
  const Json& type = At(parameters, "rope_type");
  if (!type.is_null() && type != "default") {
    return Refuse("rope_parameters.rope_type", type,
                  "it is outside full_attention and sliding_attention, where transformers does not "
                  "read it; put it into one of them");
  }
  const Json& theta = At(parameters, "rope_theta");
  const bool used = theta.is_number() && (theta.get<double>() == config->rope_theta_global ||
                                          theta.get<double>() == config->rope_theta_local);
  if (!theta.is_null() && !used) {
    config->warnings.push_back(absl::StrCat(
        "config.json: rope_parameters.rope_theta is ", theta.dump(),
        " outside full_attention and sliding_attention and is not read, as in transformers; used "
        "are ",
        config->rope_theta_global, " and ", config->rope_theta_local));
  }
  return absl::OkStatus();
}

// As Gemma3TextConfig of transformers: rope_scaling goes into full_attention, then come the values
// of rope_parameters, then the older keys, then the defaults.
absl::Status ParseGemma3Rope(const Json& text, const Json& parameters, GemmaConfig* config) {
  const Json& stated = At(parameters, "full_attention");
  const Json& local = At(parameters, "sliding_attention");
  for (const Json* section : {&stated, &local}) {
    if (!section->is_null() && !section->is_object()) {
      return Refuse("rope_parameters", parameters,
                    "full_attention and sliding_attention are objects");
    }
  }
  Json global = stated.is_null() ? Json::object() : stated;
  if (const Json& scaling = At(text, "rope_scaling"); !scaling.is_null()) {
    if (!scaling.is_object()) return Refuse("rope_scaling", scaling, "an object is needed");
    const Json& older = At(scaling, "type");
    if (stated.is_null() && At(scaling, "rope_type").is_null() && !older.is_null() &&
        older != "default") {
      return Refuse("rope_scaling.type", older,
                    "transformers 4 refuses this older key of Gemma 3 and transformers 5 computes "
                    "without scaling, as if it said default; say which one is meant with "
                    "rope_type, \"linear\" or \"default\"");
    }
    global.update(scaling);
  }
  FPO_ASSIGN_OR_RETURN(const double theta, Positive(text, "rope_theta", 1e6));
  FPO_ASSIGN_OR_RETURN(const double local_theta, Positive(text, "rope_local_base_freq", 1e4));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_global, Positive(global, "rope_theta", theta));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_local, Positive(local, "rope_theta", local_theta));
  const char* key = stated.is_null() ? "rope_scaling" : "rope_parameters.full_attention";
  FPO_ASSIGN_OR_RETURN(config->rope_scaling_global, RopeFactor(key, global, true));
  FPO_RETURN_IF_ERROR(RopeFactor("rope_parameters.sliding_attention", local, false).status());
  return CheckFlatRope(parameters, config);
}

absl::Status ParseGemma2Rope(const Json& text, const Json& parameters, GemmaConfig* config) {
  for (const auto& [key, value] : parameters.items()) {
    if (value.is_object()) {
      return Refuse("rope_parameters", key, "the layers of Gemma 2 share one rope_theta");
    }
  }
  FPO_ASSIGN_OR_RETURN(const double theta, Positive(text, "rope_theta", 1e4));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_global, Positive(parameters, "rope_theta", theta));
  config->rope_theta_local = config->rope_theta_global;
  FPO_RETURN_IF_ERROR(RopeFactor("rope_parameters", parameters, false).status());
  return RopeFactor("rope_scaling", At(text, "rope_scaling"), false).status();
}

absl::Status ParseRope(const Json& text, GemmaConfig* config) {
  static const Json none = Json::object();
  const Json& stated = At(text, "rope_parameters");
  if (!stated.is_null() && !stated.is_object()) {
    return Refuse("rope_parameters", stated, "an object is needed");
  }
  const Json& parameters = stated.is_null() ? none : stated;
  return config->architecture == Architecture::kGemma2 ? ParseGemma2Rope(text, parameters, config)
                                                       : ParseGemma3Rope(text, parameters, config);
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
  // Only the model with images has one; elsewhere transformers does not read it.
  const Json& text = nested.is_object() && At(root, "model_type") == "gemma3" ? nested : root;
  GemmaConfig config;
  config.nested = &text != &root;
  FPO_ASSIGN_OR_RETURN(config.architecture, ParseArchitecture(root, text));
  FPO_RETURN_IF_ERROR(RefuseUnsupported(root));
  FPO_RETURN_IF_ERROR(RefuseUnsupported(text));
  FPO_RETURN_IF_ERROR(ParseSizes(text, &config));
  FPO_RETURN_IF_ERROR(ParseTie(root, text, &config));
  FPO_RETURN_IF_ERROR(ParseSoftcaps(text, &config));
  FPO_RETURN_IF_ERROR(ParseLayers(text, &config));
  FPO_RETURN_IF_ERROR(ParseRope(text, &config));
  AddWarnings(&config);
  return config;
}

}  // namespace fpo::train
