#include "train/formats/sae_files.h"

#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "train/formats/npz/npz.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

constexpr int64_t kWidth = 6, kFeatures = 10;
using Arrays = std::map<std::string, at::Tensor>;

Arrays ScopeArrays() {
  return {{"W_enc", at::randn({kWidth, kFeatures})},
          {"W_dec", at::randn({kFeatures, kWidth})},
          {"b_enc", at::randn({kFeatures})},
          {"b_dec", at::randn({kWidth})},
          {"threshold", at::rand({kFeatures})}};
}

std::string PutScope(const ScratchFolder& folder, const Arrays& arrays) {
  const std::string home = folder / "gemma-scope-2b-pt-res/layer_7/width_16k/average_l0_55";
  std::filesystem::create_directories(home);
  EXPECT_TRUE(WriteNpz(home + "/params.npz", arrays).ok());
  return home + "/params.npz";
}

std::string Why(const absl::StatusOr<SaeParameters>& result) {
  EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
  return std::string(result.status().message());
}

TEST(SaeFilesTest, GemmaScopeNpz) {
  ScratchFolder folder;
  const Arrays arrays = ScopeArrays();
  const std::string path = PutScope(folder, arrays);
  const auto sae = LoadSaeFile(path);
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->layer, 7);
  EXPECT_EQ(sae->site, "resid_post");
  EXPECT_EQ(sae->target_l0, 55);
  EXPECT_TRUE(at::equal(sae->w_enc, arrays.at("W_enc")));
  EXPECT_TRUE(at::equal(sae->threshold, arrays.at("threshold")));
  const auto same =
      LoadSaeFile(std::filesystem::path(path).parent_path().string(), 7, "resid_post");
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(sae->digest, same->digest);
}

TEST(SaeFilesTest, GivenLayerAndSiteMustAgree) {
  ScratchFolder folder;
  const std::string path = PutScope(folder, ScopeArrays());
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(path, 8)), "sae.layer is 8"));
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(path, 7, "mlp_out")), "sae.site is mlp_out"));
  ASSERT_TRUE(WriteNpz(folder / "x.npz", ScopeArrays()).ok());
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(folder / "x.npz")), "give sae.layer"));
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(folder / "x.npz", 3)), "give sae.site"));
  EXPECT_TRUE(LoadSaeFile(folder / "x.npz", 3, "mlp_out").ok());
}

TEST(SaeFilesTest, GemmaScope2Safetensors) {
  ScratchFolder folder;
  const std::string home = folder / "mlp_out_all/layer_9_width_16k_l0_small";
  std::filesystem::create_directories(home);
  TensorMap lower;
  for (const auto& [name, array] : ScopeArrays()) {
    lower[name == "W_enc" ? "w_enc" : name == "W_dec" ? "w_dec" : name] = array.to(at::kBFloat16);
  }
  ASSERT_TRUE(WriteSafetensors(home + "/params.safetensors", lower).ok());
  const auto inferred = LoadSaeFile(home);
  ASSERT_TRUE(inferred.ok()) << inferred.status();
  EXPECT_EQ(inferred->site, "mlp_out");
  EXPECT_EQ(inferred->w_enc.scalar_type(), at::kFloat);
  const std::string config = "mlp_out_all/layer_9_width_16k_l0_small/config.json";
  folder.Put(config, R"({"type":"sae","architecture":"jump_relu",
      "hf_hook_point_in":"model.layers.10.post_feedforward_layernorm.output"})");
  // The config counts, and the difference is said.
  const auto said = LoadSaeFile(home);
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(said->layer, 10);
  ASSERT_EQ(said->notes.size(), 1u);
  EXPECT_TRUE(absl::StrContains(said->notes[0], "layer 10, a folder's name says 9"));
  folder.Put(config, R"({"type":"transcoder"})");
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(home)), "transcoder"));
}

TEST(SaeFilesTest, SaeLensFolder) {
  ScratchFolder folder;
  TensorMap tensors;
  for (const auto& [name, array] : ScopeArrays()) tensors[name] = array;
  tensors.erase("threshold");
  ASSERT_TRUE(WriteSafetensors(folder / "sae_weights.safetensors", tensors).ok());
  folder.Put("cfg.json", R"({"architecture":"standard","hook_name":"blocks.4.attn.hook_z",
                             "apply_b_dec_to_input":true})");
  const auto sae = LoadSaeFile(folder.path());
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->site, "attn_z");
  EXPECT_TRUE(sae->apply_b_dec_to_input);
  EXPECT_EQ(sae->threshold.abs().sum().item<float>(), 0);
  folder.Put("cfg.json", R"({"architecture":"jumprelu","hook_name":"blocks.4.attn.hook_z"})");
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(folder.path())), "threshold"));
}

TEST(SaeFilesTest, RefusesArraysThatDoNotFit) {
  ScratchFolder folder;
  const auto why = [&](const std::string& name, const at::Tensor& array) {
    Arrays arrays = ScopeArrays();
    arrays[name] = array;
    return Why(LoadSaeFile(PutScope(folder, arrays)));
  };
  EXPECT_TRUE(absl::StrContains(why("W_dec", at::randn({kWidth, kFeatures})), "w_dec has shape"));
  EXPECT_TRUE(absl::StrContains(why("b_enc", at::randn({3})), "b_enc has shape [3]"));
  EXPECT_TRUE(absl::StrContains(why("W_enc", at::randn({4})), "w_enc has shape"));
  EXPECT_TRUE(absl::StrContains(why("scaling_factor", at::full({10}, 2.0f)), "scaling_factor"));
  EXPECT_TRUE(absl::StrContains(why("W_skip", at::randn({kWidth, kWidth})), "skip"));
  EXPECT_TRUE(absl::StrContains(why("b_dec", at::full({kWidth}, NAN)), "not finite"));
  Arrays ones = ScopeArrays();
  ones["scaling_factor"] = at::ones({kFeatures});
  EXPECT_TRUE(LoadSaeFile(PutScope(folder, ones)).ok());
}

TEST(SaeFilesTest, PickleMissingAndUnknown) {
  ScratchFolder folder;
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(folder.Put("sae.pt", "x"))), "pickle"));
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(folder.Put("sae.txt", "x"))), "unknown ending"));
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(folder.path())), "pickle"));
  std::filesystem::remove(folder / "sae.pt");
  EXPECT_TRUE(absl::StrContains(Why(LoadSaeFile(folder.path())), "neither params.npz"));
  EXPECT_TRUE(absl::IsNotFound(LoadSaeFile(folder / "no.npz").status()));
}

// A clone without LFS has pointers in place of arrays and configs, in every form of folder.
TEST(SaeFilesTest, GitLfsPointersAreNamed) {
  constexpr char kPointer[] =
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 302130000\n";
  const ScratchFolder folder;
  const auto named = [&](const std::string& path, const std::string& file) {
    const absl::Status status = LoadSaeFile(path).status();
    EXPECT_TRUE(absl::StrContains(status.message(), file)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "git lfs pull")) << status;
  };
  const std::string home = "gemma-scope-2b-pt-res/layer_7/width_16k/average_l0_55";
  named(folder.Put(home + "/params.npz", kPointer), "params.npz");
  named(folder / home, "params.npz");
  folder.Put("second/config.json", kPointer);
  named(folder.Put("second/params.safetensors", kPointer), "config.json");
  folder.Put("lens/cfg.json", kPointer);
  folder.Put("lens/sae_weights.safetensors", kPointer);
  named(folder / "lens", "cfg.json");
  folder.Put("lens/cfg.json", R"({"architecture": "standard", "d_in": 6, "d_sae": 10,
      "hook_name": "blocks.1.hook_resid_post"})");
  named(folder / "lens", "sae_weights.safetensors");
}

TEST(SaeFilesTest, OurOwnFileComesBackWithoutFolderNames) {
  ScratchFolder folder;
  auto sae = *LoadSaeFile(PutScope(folder, ScopeArrays()));
  sae.site = "mlp_out";
  sae.target_l0 = 32;
  sae.l0 = 30.5;
  ASSERT_TRUE(WriteSaeFile(folder / "out", sae).ok());
  const auto read = LoadSaeFile(folder / "out");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->site, "mlp_out");
  EXPECT_EQ(read->layer, 7);
  EXPECT_EQ(read->target_l0, 32);
  EXPECT_EQ(read->l0, 30.5);
  EXPECT_TRUE(at::equal(read->w_dec, sae.w_dec));
}

TEST(SaeFilesTest, DigestFollowsContentNotPlace) {
  ScratchFolder folder;
  Arrays arrays = ScopeArrays();
  ASSERT_TRUE(WriteNpz(folder / "a.npz", arrays).ok());
  ASSERT_TRUE(WriteNpz(folder / "b.npz", arrays).ok());
  const auto digest = [&](const char* name, int64_t layer, const char* site) {
    return LoadSaeFile(folder / name, layer, site)->digest;
  };
  const Digest base = digest("a.npz", 1, "resid_post");
  EXPECT_EQ(base, digest("b.npz", 1, "resid_post"));
  EXPECT_NE(base, digest("a.npz", 2, "resid_post"));
  EXPECT_NE(base, digest("a.npz", 1, "mlp_out"));
  arrays["threshold"] = arrays["threshold"] + 1e-3;
  ASSERT_TRUE(WriteNpz(folder / "b.npz", arrays).ok());
  EXPECT_NE(base, digest("b.npz", 1, "resid_post"));
}

}  // namespace
}  // namespace fpo::train
