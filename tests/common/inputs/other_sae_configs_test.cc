#include "common/inputs/other_sae_configs.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(OtherSaeConfigs, Sparsify) {
  const char* cfg = R"({"activation":"topk","expansion_factor":32,"normalize_decoder":true,
      "num_latents":0,"k":48,"multi_topk":false,"skip_connection":false,"transcode":false,
      "d_in":24})";
  const auto sae = ParseSparsifyConfig(cfg, "/x/layers.3/cfg.json");
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_EQ(sae->top_k, 48);
  EXPECT_EQ(sae->layer, 3);
  EXPECT_EQ(sae->site, "resid_post");
  EXPECT_EQ(sae->d_in, 24);
  EXPECT_TRUE(sae->apply_b_dec_to_input);
  EXPECT_FALSE(ParseSparsifyConfig(cfg, "/x/cfg.json")->layer.has_value());
  EXPECT_TRUE(absl::IsInvalidArgument(ParseSparsifyConfig(cfg, "/x/layers.3.mlp/c").status()));
  for (const char* bad : {R"({"transcode":true})", R"({"skip_connection":true})",
                          R"({"activation":"groupmax"})", R"({"signed":true})", R"({"k":0})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSparsifyConfig(bad, "cfg.json").status())) << bad;
  }
}

TEST(OtherSaeConfigs, DictionaryLearning) {
  const auto parse = [](const std::string& trainer) {
    return ParseDictionaryLearningConfig("{\"trainer\": {" + trainer + "}}", "config.json");
  };
  const auto top = parse(R"("dict_class":"AutoEncoderTopK","k":20,"layer":8,
      "submodule_name":"resid_post_layer_8","activation_dim":24,"dict_size":96)");
  ASSERT_TRUE(top.ok()) << top.status();
  EXPECT_EQ(top->top_k, 20);
  EXPECT_EQ(top->layer, 8);
  EXPECT_EQ(top->site, "resid_post");
  EXPECT_EQ(top->d_sae, 96);
  EXPECT_TRUE(top->apply_b_dec_to_input);
  const auto batch = parse(R"("dict_class":"BatchTopKSAE","k":20,"layer":8)");
  EXPECT_TRUE(batch->batch_threshold);
  EXPECT_EQ(batch->top_k, 0);
  EXPECT_FALSE(parse(R"("dict_class":"JumpReluAutoEncoder")")->apply_b_dec_to_input);
  EXPECT_FALSE(parse(R"("dict_class":"AutoEncoderNew")")->apply_b_dec_to_input);
  EXPECT_TRUE(parse(R"("dict_class":"AutoEncoder")")->plain_relu);
  for (const char* bad :
       {R"("dict_class":"GatedAutoEncoder")", R"("dict_class":"CrossCoder")", "",
        R"("dict_class":"AutoEncoderTopK")",
        R"("dict_class":"AutoEncoder","submodule_name":"attention_out_layer_3")"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(parse(bad).status())) << bad;
  }
  EXPECT_THAT(std::string(ParseDictionaryLearningConfig("{}", "c").status().message()),
              HasSubstr("trainer"));
}

}  // namespace
}  // namespace fpo
