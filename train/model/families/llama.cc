#include <nlohmann/json.hpp>

#include "common/status_macros.h"
#include "train/model/families/config_values.h"
#include "train/model/families/model_family.h"

namespace fpo::train {
namespace {

absl::Status ReadLlama(const ConfigValues& text, GemmaConfig* config) {
  if (const auto& bias = text.At("mlp_bias"); !bias.is_null() && bias != false) {
    return ConfigValues::Refuse("mlp_bias", bias, "this is not supported: false is needed");
  }
  SizeFallbacks fallbacks;
  fallbacks.kv_heads = fallbacks.head_dim = 0;
  FPO_RETURN_IF_ERROR(ReadSizes(text, fallbacks, config));
  config->sliding.assign(static_cast<size_t>(config->layers), false);
  return ReadSharedRope(text, /*may_stretch=*/true, config);
}

}  // namespace

// Llama 3, 3.1 and 3.2 of text.
const ModelFamily kLlamaFamily = {
    .name = "llama",
    .title = "Llama",
    .forward_recipe = "llama-1",
    .fused_forward_recipe = "llama-1-fused",
    .norm_offset = 0,
    .norms_outputs = false,
    .qk_norm = false,
    .scales_embedding = false,
    .ties_head = false,
    .activation = Activation::kSilu,
    .read = ReadLlama,
};

}  // namespace fpo::train
