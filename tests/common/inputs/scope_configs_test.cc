#include "common/inputs/scope_configs.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

// As published with Llama3_1-8B-Base-L19R-8x, with the keys that matter.
Json LlamaScopeFile() {
  return Json::parse(R"({"hook_point_in": "blocks.19.hook_resid_post",
    "hook_point_out": "blocks.19.hook_resid_post", "use_decoder_bias": true,
    "apply_decoder_bias_to_pre_encoder": false, "expansion_factor": 8, "d_model": 4096,
    "d_sae": 32768, "act_fn": "jumprelu", "jump_relu_threshold": 0.52734375,
    "norm_activation": "dataset-wise",
    "dataset_average_activation_norm": {"in": 17.125, "out": 17.125},
    "sparsity_include_decoder_norm": true, "use_glu_encoder": false, "top_k": 50})");
}

TEST(LlamaScopeConfig, ReadsThePublishedFile) {
  const auto sae = ParseLlamaScopeConfig(LlamaScopeFile().dump(), "hyperparams.json");
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->layer, 19);
  EXPECT_EQ(sae->site, "resid_post");
  EXPECT_EQ(sae->d_in, 4096);
  EXPECT_EQ(sae->d_sae, 32768);
  EXPECT_DOUBLE_EQ(*sae->norm_factor, 64 / 17.125);
  EXPECT_DOUBLE_EQ(*sae->threshold, 0.52734375 * 64 / 17.125);
  EXPECT_TRUE(sae->rescale_by_decoder_norm);
  EXPECT_FALSE(sae->apply_b_dec_to_input);
  EXPECT_EQ(sae->top_k, 0) << "of the training";
  EXPECT_TRUE(sae->normalization.empty()) << "nothing is left to the job";
}

TEST(LlamaScopeConfig, RefusesByName) {
  const auto error = [](const char* key, const Json& value) {
    Json json = LlamaScopeFile();
    json[key] = value;
    return std::string(ParseLlamaScopeConfig(json.dump(), "h.json").status().message());
  };
  EXPECT_THAT(error("hook_point_out", "blocks.19.hook_mlp_out"), HasSubstr("transcoder"));
  EXPECT_THAT(error("act_fn", "relu"), HasSubstr("act_fn is relu"));
  EXPECT_THAT(error("act_fn", nullptr), HasSubstr("act_fn is not stated"));
  EXPECT_THAT(error("norm_activation", "token-wise"), HasSubstr("norm_activation is token-wise"));
  EXPECT_THAT(error("dataset_average_activation_norm", nullptr), HasSubstr("norm.in"));
  EXPECT_THAT(error("use_glu_encoder", true), HasSubstr("gated"));
  EXPECT_THAT(error("jump_relu_threshold", nullptr), HasSubstr("jump_relu_threshold"));
  Json attention = LlamaScopeFile();
  attention["hook_point_in"] = attention["hook_point_out"] = "blocks.3.hook_attn_out";
  EXPECT_THAT(std::string(ParseLlamaScopeConfig(attention.dump(), "h.json").status().message()),
              HasSubstr("attn_z"));
}

TEST(QwenScope, LayerAndKAreInNames) {
  EXPECT_TRUE(IsQwenScopeName("layer0.sae.safetensors"));
  EXPECT_FALSE(IsQwenScopeName("layer.sae.safetensors"));
  EXPECT_FALSE(IsQwenScopeName("layer0.safetensors"));
  const auto sae =
      DescribeQwenScope("/m/SAE-Res-Qwen3-1.7B-Base-W32K-L0_50/layer12.sae.safetensors");
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->layer, 12);
  EXPECT_EQ(sae->site, "resid_post");
  EXPECT_EQ(sae->top_k, 50);
  EXPECT_TRUE(sae->plain_relu);
  EXPECT_THAT(std::string(DescribeQwenScope("/m/layer12.sae.safetensors").status().message()),
              HasSubstr("L0_50"));
}

}  // namespace
}  // namespace fpo
