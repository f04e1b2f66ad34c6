#include "common/files/sae_config.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {

using train::SharedData;
using train::Slurp;

namespace {

TEST(SaeConfigTest, HooksOfThreeLibraries) {
  const std::vector<std::pair<std::string, std::string>> hooks = {
      {"model.layers.12.output", "resid_post"},
      {"blocks.12.hook_resid_post", "resid_post"},
      {"model.layers.12.post_feedforward_layernorm.output", "mlp_out"},
      {"blocks.12.hook_mlp_out", "mlp_out"},
      {"model.layers.12.self_attn.o_proj.input", "attn_z"},
      {"blocks.12.attn.hook_z", "attn_z"},
      {"model.language_model.layers.12.output", "resid_post"}};
  for (const auto& [hook, site] : hooks) {
    SaeDescription description;
    ASSERT_TRUE(ParseHook(hook, &description).ok()) << hook;
    EXPECT_EQ(description.layer, 12) << hook;
    EXPECT_EQ(description.site, site) << hook;
  }
  SaeDescription description;
  EXPECT_FALSE(ParseHook("blocks.12.hook_resid_pre", &description).ok());
  EXPECT_FALSE(ParseHook("layers.x.output", &description).ok());
  ASSERT_TRUE(ParseHook(HookName(3, "attn_z"), &description).ok());
  EXPECT_EQ(description.layer, 3);
}

TEST(SaeConfigTest, FolderNames) {
  const auto scope = DescribeSaePath(
      "/hub/models--google--gemma-scope-2b-pt-res/snapshots/1/layer_25/width_16k/average_l0_55/"
      "params.npz");
  ASSERT_TRUE(scope.ok()) << scope.status();
  EXPECT_EQ(scope->layer, 25);
  EXPECT_EQ(scope->site, "resid_post");
  EXPECT_EQ(scope->target_l0, 55);
  const auto mlp =
      DescribeSaePath("google/gemma-scope-9b-pt-mlp/layer_3/width_16k/average_l0_9/p.npz");
  EXPECT_EQ(mlp->site, "mlp_out");
  const auto second =
      DescribeSaePath("/x/attn_out_all/layer_9_width_16k_l0_small/params.safetensors");
  EXPECT_EQ(second->site, "attn_z");
  EXPECT_EQ(second->layer, 9);
  EXPECT_FALSE(second->target_l0.has_value());
  for (const char* name : {"transcoder_all", "crosscoder", "clt", "x_affine"}) {
    EXPECT_FALSE(DescribeSaePath(absl::StrCat("/x/", name, "/layer_1/params.safetensors")).ok());
  }
}

TEST(SaeConfigTest, EveryPublishedGemmaScopeFolder) {
  const std::string path = SharedData("golden/gemma_scope_paths.json");
  if (path.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  int count = 0;
  const auto releases = nlohmann::json::parse(Slurp(path))["releases"];
  for (const auto& [release, entry] : releases.items()) {
    for (const auto& folder : entry["folders"]) {
      const auto name = folder.get<std::string>();
      const auto description = DescribeSaePath(
          absl::StrCat(entry["repo_id"].get<std::string>(), "/", name, "/params.npz"));
      if (absl::StrContains(release, "transcoder")) {
        EXPECT_FALSE(description.ok()) << release;
        continue;
      }
      ASSERT_TRUE(description.ok()) << description.status();
      EXPECT_FALSE(description->site.empty()) << release << " " << name;
      EXPECT_EQ(description->layer.has_value(), absl::StrContains(name, "layer_")) << name;
      EXPECT_EQ(description->target_l0.has_value(), absl::StrContains(name, "average_l0_")) << name;
      ++count;
    }
  }
  EXPECT_GT(count, 2000);
}

TEST(SaeConfigTest, GemmaScope2Config) {
  const auto good = ParseSaeConfig(
      R"({"architecture":"jump_relu","type":"sae","hf_hook_point_in":"model.layers.9.output",
          "hf_hook_point_out":"model.layers.9.output","l0":60})",
      "config.json");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->layer, 9);
  EXPECT_EQ(good->target_l0, 60);
  const auto own = ParseSaeConfig(R"({"target_l0":40,"l0":38.5})", "config.json");
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->target_l0, 40);
  EXPECT_EQ(own->l0, 38.5);
  for (
      const char* bad :
      {R"({"type":"transcoder"})", R"({"architecture":"topk"})", "[1]", "{",
       R"({"affine_connection":true})",
       R"({"hf_hook_point_in":"model.layers.9.output","hf_hook_point_out":"model.layers.10.output"})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSaeConfig(bad, "config.json").status())) << bad;
  }
}

TEST(SaeConfigTest, SaeLensConfig) {
  const auto nested = ParseSaeLensConfig(
      R"({"architecture":"jumprelu","apply_b_dec_to_input":true,
          "metadata":{"hook_name":"blocks.5.hook_mlp_out"}})",
      "cfg.json");
  ASSERT_TRUE(nested.ok()) << nested.status();
  EXPECT_EQ(nested->layer, 5);
  EXPECT_EQ(nested->site, "mlp_out");
  EXPECT_TRUE(nested->apply_b_dec_to_input);
  EXPECT_FALSE(nested->plain_relu);
  EXPECT_TRUE(ParseSaeLensConfig(R"({"hook_name":"blocks.5.hook_resid_post"})", "c")->plain_relu);
  for (const char* bad :
       {R"({"architecture":"gated"})", R"({"activation_fn":"topk"})",
        R"({"normalize_activations":"expected_average_only_in"})",
        R"({"apply_b_dec_to_input":"yes"})", R"({"hook_name":"blocks.5.ln2.hook_normalized"})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSaeLensConfig(bad, "cfg.json").status())) << bad;
  }
}

}  // namespace
}  // namespace fpo
