#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/model/families/config_values.h"
#include "train/model/families/model_family.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

absl::Status ReadGemma2Rope(const ConfigValues& text, GemmaConfig* config) {
  FPO_ASSIGN_OR_RETURN(const Json parameters, text.Section("rope_parameters"));
  for (const auto& [key, value] : parameters.items()) {
    if (value.is_object()) {
      return ConfigValues::Refuse("rope_parameters", key,
                                  "the layers of Gemma 2 share one rope_theta");
    }
  }
  FPO_ASSIGN_OR_RETURN(const double theta, text.Positive("rope_theta", 1e4));
  FPO_ASSIGN_OR_RETURN(config->rope_theta_global,
                       ConfigValues(parameters).Positive("rope_theta", theta));
  config->rope_theta_local = config->rope_theta_global;
  FPO_RETURN_IF_ERROR(ReadRopeFactor("rope_parameters", parameters, false).status());
  return ReadRopeFactor("rope_scaling", text.At("rope_scaling"), false).status();
}

absl::Status ReadGemma2(const ConfigValues& text, GemmaConfig* config) {
  SizeFallbacks fallbacks;
  fallbacks.head_dim = 256;
  FPO_RETURN_IF_ERROR(ReadSizes(text, fallbacks, config));
  FPO_ASSIGN_OR_RETURN(config->query_pre_attn_scalar, text.Positive("query_pre_attn_scalar", 256));
  FPO_ASSIGN_OR_RETURN(config->attention_softcap, text.Softcap("attn_logit_softcapping", 50));
  FPO_ASSIGN_OR_RETURN(config->final_softcap, text.Softcap("final_logit_softcapping", 30));
  FPO_RETURN_IF_ERROR(ReadSlidingLayers(text, 2, config));
  if (config->hidden_size == 3584 && config->query_pre_attn_scalar == 224) {
    config->warnings.emplace_back(
        "config.json: query_pre_attn_scalar is 224, a known mistake in early Gemma-2 9B files; "
        "the model was trained with 256");
  }
  return ReadGemma2Rope(text, config);
}

}  // namespace

const ModelFamily kGemma2Family = {
    .name = "gemma2",
    .title = "Gemma 2",
    .forward_recipe = "gemma-1",
    .fused_forward_recipe = "gemma-1-fused",
    .norm_offset = 1,
    .norms_outputs = true,
    .qk_norm = false,
    .scales_embedding = true,
    .ties_head = true,
    .activation = Activation::kGeluTanh,
    .read = ReadGemma2,
};

}  // namespace fpo::train
