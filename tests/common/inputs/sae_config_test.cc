#include "common/inputs/sae_config.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {

using train::SharedData;
using train::Slurp;

namespace {

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

// A folder's name is only used for what the config does not say.
TEST(SaeConfigTest, APathNeverOverridesAConfig) {
  const train::ScratchFolder folder;
  const std::string home = "transcoder-paper/gemma-scope-2b-pt-mlp/layer_3_runs/mine/";
  const std::string cfg = R"({"architecture":"jumprelu","hook_name":"blocks.5.hook_resid_post"})";
  folder.Put(home + "cfg.json", cfg);
  folder.Put(home + "sae_weights.safetensors", "x");
  const auto source = FindSaeSource(folder / home);
  ASSERT_TRUE(source.ok()) << source.status();
  const auto sae = DescribeSae(*source);
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->layer, 5);
  EXPECT_EQ(sae->site, "resid_post");
  EXPECT_TRUE(sae->notes.empty());  // no word of the refused path is used
  const std::string plain = "gemma-scope-2b-pt-mlp/layer_3/mine/";
  folder.Put(plain + "cfg.json", cfg);
  folder.Put(plain + "sae_weights.safetensors", "x");
  const auto noted = DescribeSae(*FindSaeSource(folder / plain));
  ASSERT_TRUE(noted.ok()) << noted.status();
  EXPECT_EQ(noted->layer, 5);
  EXPECT_EQ(noted->site, "resid_post");
  ASSERT_EQ(noted->notes.size(), 2u);
  EXPECT_TRUE(absl::StrContains(noted->notes[0], "layer 5, a folder's name says 3"));
  EXPECT_TRUE(absl::StrContains(noted->notes[1], "site resid_post, a folder's name says mlp_out"));
}

TEST(SaeConfigTest, AnSaeOfTheEmbeddingIsNotOfALayer) {
  const train::ScratchFolder folder;
  folder.Put("gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6/params.npz", "x");
  const auto sae =
      DescribeSae(*FindSaeSource(folder / "gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6"));
  EXPECT_TRUE(absl::StrContains(sae.status().message(), "before the first layer")) << sae.status();
}

// SAELens writes it beside checkpoints whose weights are not folded.
TEST(SaeConfigTest, TheFactorOfAnActivationScaler) {
  const train::ScratchFolder folder;
  folder.Put("s/sae_weights.safetensors", "x");
  folder.Put("s/cfg.json", R"({"normalize_activations":"expected_average_only_in"})");
  const auto describe = [&] { return DescribeSae(*FindSaeSource(folder / "s")); };
  EXPECT_EQ(describe()->normalization, "expected_average_only_in");
  EXPECT_FALSE(describe()->norm_factor.has_value());
  folder.Put("s/activation_scaler.json", R"({"scaling_factor": 0.25})");
  EXPECT_EQ(describe()->norm_factor, 0.25);
  folder.Put("s/activation_scaler.json", R"({"scaling_factor": -1})");
  EXPECT_TRUE(absl::IsInvalidArgument(describe().status()));
}

}  // namespace
}  // namespace fpo
