#include "common/inputs/sae_lens_config.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

SaeDescription Parse(const std::string& json) {
  const auto sae = ParseSaeLensConfig(json, "cfg.json");
  EXPECT_TRUE(sae.ok()) << sae.status();
  return sae.ok() ? *sae : SaeDescription();
}

std::string ErrorOf(const std::string& json) {
  const auto sae = ParseSaeLensConfig(json, "cfg.json");
  return sae.ok() ? "accepted" : std::string(sae.status().message());
}

TEST(SaeLensConfig, OfVersion6) {
  const SaeDescription sae = Parse(
      R"({"architecture":"jumprelu","apply_b_dec_to_input":true,"d_in":24,"d_sae":64,
          "metadata":{"hook_name":"blocks.5.hook_mlp_out","sae_lens_version":"6.5.0"}})");
  EXPECT_EQ(sae.layer, 5);
  EXPECT_EQ(sae.site, "mlp_out");
  EXPECT_TRUE(sae.apply_b_dec_to_input);
  EXPECT_FALSE(sae.plain_relu);
  EXPECT_EQ(sae.d_in, 24);
  EXPECT_EQ(sae.d_sae, 64);
}

TEST(SaeLensConfig, AnotherLayerThanThatOfTheHookIsTold) {
  const auto notes = [](const std::string& hook, int layer) {
    return Parse(R"({"architecture":"standard","hook_name":")" + hook + R"(","hook_layer":)" +
                 std::to_string(layer) + "}")
        .notes;
  };
  EXPECT_TRUE(notes("blocks.5.hook_mlp_out", 5).empty());
  EXPECT_TRUE(notes("blocks.5.hook_resid_pre", 5).empty());
  const std::vector<std::string> other = notes("blocks.5.hook_mlp_out", 7);
  ASSERT_EQ(other.size(), 1u);
  EXPECT_THAT(other[0], HasSubstr("hook_layer is 7, but blocks.5.hook_mlp_out is of layer 5"));
}

// SAELens #168 and #351: the loader's own default is true.
TEST(SaeLensConfig, WithoutAWordBDecIsSubtracted) {
  const SaeDescription sae = Parse(R"({"architecture":"standard","d_in":128,"d_sae":64,
                                       "hook_point":"blocks.1.hook_resid_post"})");
  EXPECT_TRUE(sae.apply_b_dec_to_input);
  EXPECT_TRUE(sae.plain_relu);
  EXPECT_EQ(sae.layer, 1);
  EXPECT_EQ(sae.site, "resid_post");
  EXPECT_FALSE(Parse(R"({"apply_b_dec_to_input":false})").apply_b_dec_to_input);
  EXPECT_TRUE(Parse(R"({"apply_b_dec_to_input":null})").apply_b_dec_to_input);
  EXPECT_EQ(Parse(R"({"hook_point_layer":7})").layer, 7);
}

TEST(SaeLensConfig, TopKInItsOldAndNewForm) {
  EXPECT_EQ(Parse(R"({"architecture":"topk","k":32})").top_k, 32);
  EXPECT_FALSE(Parse(R"({"architecture":"topk","k":32})").rescale_by_decoder_norm);
  const SaeDescription old = Parse(
      R"({"architecture":"standard","activation_fn_str":"topk","activation_fn_kwargs":{"k":16}})");
  EXPECT_EQ(old.top_k, 16);
  EXPECT_EQ(old.target_l0, 16);
  EXPECT_TRUE(Parse(R"({"architecture":"topk","k":8,"rescale_acts_by_decoder_norm":true})")
                  .rescale_by_decoder_norm);
  EXPECT_THAT(ErrorOf(R"({"activation_fn":"topk"})"), HasSubstr("k is null"));
  EXPECT_THAT(ErrorOf(R"({"architecture":"topk"})"), HasSubstr("k is null"));
  EXPECT_THAT(ErrorOf(R"({"architecture":"topk","k":2.5})"), HasSubstr("k is 2.5"));
}

TEST(SaeLensConfig, BatchTopKHasAThreshold) {
  for (const char* name : {"batchtopk", "matryoshka_batchtopk"}) {
    const SaeDescription sae = Parse(std::string(R"({"k":50.0,"architecture":")") + name + "\"}");
    EXPECT_TRUE(sae.batch_threshold);
    EXPECT_TRUE(sae.rescale_by_decoder_norm);
    EXPECT_EQ(sae.target_l0, 50);
    EXPECT_EQ(sae.top_k, 0);
  }
}

TEST(SaeLensConfig, Normalisations) {
  EXPECT_EQ(Parse(R"({"normalize_activations":"none"})").normalization, "");
  EXPECT_EQ(Parse(R"({"normalize_activations":null})").normalization, "");
  EXPECT_EQ(Parse(R"({"normalize_activations":false})").normalization, "");
  for (const char* value : {"true", "\"expected_average_only_in\""}) {
    const SaeDescription sae = Parse(std::string(R"({"normalize_activations":)") + value + "}");
    EXPECT_EQ(sae.normalization, "expected_average_only_in");
    EXPECT_FALSE(sae.norm_factor.has_value());
  }
  for (const char* name : {"layer_norm", "constant_norm_rescale", "covariance_whitening"}) {
    EXPECT_THAT(ErrorOf(std::string(R"({"normalize_activations":")") + name + "\"}"),
                HasSubstr(name));
  }
}

TEST(SaeLensConfig, RefusesByName) {
  const std::pair<const char*, const char*> bad[] = {
      {R"({"architecture":"gated"})", "gated"},
      {R"({"architecture":"transcoder"})", "transcoder"},
      {R"({"architecture":"jumprelu_skip_transcoder"})", "jumprelu_skip_transcoder"},
      {R"({"architecture":"temporal"})", "temporal"},
      {R"({"activation_fn":"tanh-relu"})", "tanh-relu"},
      {R"({"apply_b_dec_to_input":"yes"})", "apply_b_dec_to_input"},
      {R"({"hook_name":"blocks.5.ln2.hook_normalized"})", "ln2.hook_normalized"},
      {R"({"hook_name":"blocks.5.attn.hook_z","hook_head_index":3})", "head 3"},
      {R"({"hook_name":"blocks.5.hook_resid_post","metadata":{"hook_name_out":"blocks.5.hook_mlp_out"}})",
       "a transcoder"},
      {"[]", "not a JSON object"}};
  for (const auto& [json, word] : bad) EXPECT_THAT(ErrorOf(json), HasSubstr(word)) << json;
}

TEST(SaeLensConfig, ActivationScaler) {
  EXPECT_EQ(**ParseActivationScaler(R"({"scaling_factor": 0.5})", "f"), 0.5);
  EXPECT_FALSE(ParseActivationScaler(R"({"scaling_factor": null})", "f")->has_value());
  for (const char* bad : {R"({"scaling_factor": 0})", R"({"scaling_factor": "a"})", "{"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseActivationScaler(bad, "f").status())) << bad;
  }
}

}  // namespace
}  // namespace fpo
