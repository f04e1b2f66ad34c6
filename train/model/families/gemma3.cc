#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/model/families/config_values.h"
#include "train/model/families/model_family.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

// Keys beside the sections of rope_parameters: transformers 5.0 to 5.16 wrote the flat form next to
// them, or alone, and no version reads it for Gemma 3.
absl::Status CheckFlatRope(const Json& parameters, GemmaConfig* config) {
  std::vector<std::string> flat;
  for (const auto& [key, value] : parameters.items()) {
    if (key == "full_attention" || key == "sliding_attention") continue;
    if (value.is_object()) {
      return ConfigValues::Refuse("rope_parameters", key,
                                  "allowed are full_attention and sliding_attention");
    }
    flat.push_back(key);
  }
  const Json& type = ConfigValues(parameters).At("rope_type");
  if (!type.is_null() && type != "default") {
    return ConfigValues::Refuse(
        "rope_parameters.rope_type", type,
        "it is outside full_attention and sliding_attention, where transformers does not "
        "read it; put it into one of them");
  }
  const Json& theta = ConfigValues(parameters).At("rope_theta");
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
absl::Status ReadGemma3Rope(const ConfigValues& text, GemmaConfig* config) {
  FPO_ASSIGN_OR_RETURN(const Json parameters, text.Section("rope_parameters"));
  const Json& stated = ConfigValues(parameters).At("full_attention");
  const Json& local = ConfigValues(parameters).At("sliding_attention");
  for (const Json* section : {&stated, &local}) {
    if (!section->is_null() && !section->is_object()) {
      return ConfigValues::Refuse("rope_parameters", parameters,
                                  "full_attention and sliding_attention are objects");
    }
  }
  Json global = stated.is_null() ? Json::object() : stated;
  if (const Json& scaling = text.At("rope_scaling"); !scaling.is_null()) {
    if (!scaling.is_object())
      return ConfigValues::Refuse("rope_scaling", scaling, "an object is needed");
    const Json& older = ConfigValues(scaling).At("type");
    if (stated.is_null() && ConfigValues(scaling).At("rope_type").is_null() && !older.is_null() &&
        older != "default") {
      return ConfigValues::Refuse(
          "rope_scaling.type", older,
          "transformers 4 refuses this older key of Gemma 3 and transformers 5 computes "
          "without scaling, as if it said default; say which one is meant with "
          "rope_type, \"linear\" or \"default\"");
    }
    global.update(scaling);
  }
  FPO_ASSIGN_OR_RETURN(const double theta, text.Positive("rope_theta", 1e6));
  FPO_ASSIGN_OR_RETURN(const double local_theta, text.Positive("rope_local_base_freq", 1e4));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_global,
                       ConfigValues(global).Positive("rope_theta", theta));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_local,
                       ConfigValues(local).Positive("rope_theta", local_theta));
  const char* key = stated.is_null() ? "rope_scaling" : "rope_parameters.full_attention";
  FPO_ASSIGN_OR_RETURN(config->rope_scaling_global, ReadRopeFactor(key, global, true));
  FPO_RETURN_IF_ERROR(ReadRopeFactor("rope_parameters.sliding_attention", local, false).status());
  return CheckFlatRope(parameters, config);
}

// Multimodal files omit values equal to the format's defaults; text-only files are complete.
SizeFallbacks FallbacksOf(const GemmaConfig& config) {
  SizeFallbacks fallbacks;
  fallbacks.head_dim = 256;
  if (!config.nested) return fallbacks;
  fallbacks.layers = 26;
  fallbacks.hidden_size = 2304;
  fallbacks.intermediate_size = 9216;
  fallbacks.heads = 8;
  fallbacks.kv_heads = 4;
  fallbacks.vocab_size = 262208;
  return fallbacks;
}

absl::Status ReadGemma3(const ConfigValues& text, GemmaConfig* config) {
  FPO_RETURN_IF_ERROR(ReadSizes(text, FallbacksOf(*config), config));
  FPO_ASSIGN_OR_RETURN(config->query_pre_attn_scalar, text.Positive("query_pre_attn_scalar", 256));
  FPO_ASSIGN_OR_RETURN(config->attention_softcap,
                       text.Softcap("attn_logit_softcapping", std::nullopt));
  FPO_ASSIGN_OR_RETURN(config->final_softcap,
                       text.Softcap("final_logit_softcapping", std::nullopt));
  if (config->attention_softcap) {
    return ConfigValues::Refuse("attn_logit_softcapping", *config->attention_softcap,
                                "Gemma-3 has none: null is needed");
  }
  int64_t global_every = 6;
  if (text.At("layer_types").is_null()) {
    FPO_ASSIGN_OR_RETURN(global_every, text.Count("sliding_window_pattern", 6));
    // transformers writes this key and never reads it.
    const Json& written = text.At("_sliding_window_pattern");
    if (!written.is_null() && written != global_every) {
      return ConfigValues::Refuse("_sliding_window_pattern", written,
                                  absl::StrCat("transformers does not read it and takes ",
                                               global_every, "; give layer_types"));
    }
  }
  FPO_RETURN_IF_ERROR(ReadSlidingLayers(text, global_every, config));
  return ReadGemma3Rope(text, config);
}

}  // namespace

const ModelFamily kGemma3Family = {
    .name = "gemma3",
    .title = "Gemma 3",
    .forward_recipe = "gemma-1",
    .fused_forward_recipe = "gemma-1-fused",
    .norm_offset = 1,
    .norms_outputs = true,
    .qk_norm = true,
    .scales_embedding = true,
    .ties_head = true,
    .activation = Activation::kGeluTanh,
    .read = ReadGemma3,
};

}  // namespace fpo::train
