#include "common/inputs/sae_hook.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(SaeHook, NamesOfThreeLibraries) {
  const std::pair<const char*, const char*> hooks[] = {
      {"model.layers.12.output", "resid_post"},
      {"model.layers.12", "resid_post"},
      {"layers.12", "resid_post"},
      {"blocks.12.hook_resid_post", "resid_post"},
      {"model.layers.12.post_feedforward_layernorm.output", "mlp_out"},
      {"model.layers.12.post_feedforward_layernorm", "mlp_out"},
      {"blocks.12.hook_mlp_out", "mlp_out"},
      {"model.layers.12.self_attn.o_proj.input", "attn_z"},
      {"blocks.12.attn.hook_z", "attn_z"},
      {"model.language_model.layers.12.output", "resid_post"},
      {"language_model.model.layers.12", "resid_post"}};
  for (const auto& [hook, site] : hooks) {
    SaeDescription description;
    ASSERT_TRUE(ParseHook(hook, &description).ok()) << hook;
    EXPECT_EQ(description.layer, 12) << hook;
    EXPECT_EQ(description.site, site) << hook;
  }
}

TEST(SaeHook, TheInputOfALayerIsTheOutputOfTheOneBefore) {
  for (const char* hook : {"blocks.12.hook_resid_pre", "model.layers.12.input"}) {
    SaeDescription description;
    ASSERT_TRUE(ParseHook(hook, &description).ok()) << hook;
    EXPECT_EQ(description.layer, 11);
    EXPECT_EQ(description.site, "resid_post");
  }
  SaeDescription description;
  EXPECT_THAT(std::string(ParseHook("blocks.0.hook_resid_pre", &description).message()),
              HasSubstr("it is the embedding"));
  EXPECT_FALSE(description.layer.has_value());
}

TEST(SaeHook, WhatIsNoneOfOurSites) {
  SaeDescription description;
  for (const char* hook :
       {"layers.x.output", "blocks.12", "blocks.12.hook_mlp_in", "model.layers.12.mlp",
        "vision_tower.encoder.layers.12.output", "encoder.layers.3", "blocks.12.hook_attn_out",
        "blocks.12.ln2.hook_normalized", "model.layers.-1", "hook_embed", "", "model.layers.1.x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseHook(hook, &description))) << hook;
  }
  EXPECT_THAT(std::string(ParseHook("model.layers.12.mlp", &description).message()),
              HasSubstr("before the norm"));
}

TEST(SaeHook, HookNameIsTheInverse) {
  for (const char* site : {"resid_post", "mlp_out", "attn_z"}) {
    SaeDescription description;
    ASSERT_TRUE(ParseHook(HookName(3, site), &description).ok());
    EXPECT_EQ(description.layer, 3);
    EXPECT_EQ(description.site, site);
  }
  EXPECT_EQ(HookName(3, "attn_out"), "");
}

}  // namespace
}  // namespace fpo
