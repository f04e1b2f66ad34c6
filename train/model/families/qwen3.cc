#include <algorithm>

#include <nlohmann/json.hpp>

#include "common/status_macros.h"
#include "train/model/families/config_values.h"
#include "train/model/families/model_family.h"

namespace fpo::train {
namespace {

// The upper layers slide where use_sliding_window says so; published files do not.
absl::Status ReadQwen3Layers(const ConfigValues& text, GemmaConfig* config) {
  if (text.At("use_sliding_window") == true && !text.At("sliding_window").is_null()) {
    FPO_ASSIGN_OR_RETURN(config->sliding_window, text.Count("sliding_window", std::nullopt));
  }
  const bool slides = config->sliding_window > 0;
  if (const auto& types = text.At("layer_types"); !types.is_null()) {
    FPO_RETURN_IF_ERROR(ReadLayerTypes(types, config));
    const auto& sliding = config->sliding;
    if (slides || std::find(sliding.begin(), sliding.end(), true) == sliding.end()) {
      return absl::OkStatus();
    }
    return ConfigValues::Refuse("layer_types", types,
                                "sliding layers need use_sliding_window and a sliding_window");
  }
  int64_t whole = text.At("max_window_layers") == 0 ? 0 : config->layers;
  if (slides && whole > 0) {
    FPO_ASSIGN_OR_RETURN(whole, text.Count("max_window_layers", 28));
  }
  for (int64_t layer = 0; layer < config->layers; ++layer) {
    config->sliding.push_back(slides && layer >= whole);
  }
  return absl::OkStatus();
}

absl::Status ReadQwen3(const ConfigValues& text, GemmaConfig* config) {
  SizeFallbacks fallbacks;
  fallbacks.kv_heads = 32;
  fallbacks.head_dim = 128;
  FPO_RETURN_IF_ERROR(ReadSizes(text, fallbacks, config));
  FPO_RETURN_IF_ERROR(ReadQwen3Layers(text, config));
  return ReadSharedRope(text, /*may_stretch=*/false, config);
}

}  // namespace

// The dense models of Qwen 3.
const ModelFamily kQwen3Family = {
    .name = "qwen3",
    .title = "Qwen 3",
    .forward_recipe = "qwen3-1",
    .fused_forward_recipe = "qwen3-1-fused",
    .norm_offset = 0,
    .norms_outputs = false,
    .qk_norm = true,
    .scales_embedding = false,
    .ties_head = false,
    .activation = Activation::kSilu,
    .read = ReadQwen3,
};

}  // namespace fpo::train
