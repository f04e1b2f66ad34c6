#include "train/model/gemma_config.h"

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(GemmaConfig, CountsThePublishedParameters) {
  EXPECT_EQ(ParameterCount(Gemma2_2B()), 2614341888);
  EXPECT_EQ(ParameterCount(Gemma3_270M()), 268098176);
}

TEST(GemmaConfig, ShapesOfTheAttentionFollowHeads) {
  const auto shapes = TensorShapes(TinyForTest(Architecture::kGemma3));
  EXPECT_EQ(shapes.at("model.layers.2.self_attn.q_proj.weight"), (std::vector<int64_t>{40, 24}));
  EXPECT_EQ(shapes.at("model.layers.2.self_attn.k_proj.weight"), (std::vector<int64_t>{20, 24}));
  EXPECT_EQ(shapes.at("model.layers.2.self_attn.q_norm.weight"), (std::vector<int64_t>{10}));
  EXPECT_EQ(shapes.count("lm_head.weight"), 0u);
  EXPECT_EQ(TensorShapes(TinyForTest()).count("model.layers.0.self_attn.q_norm.weight"), 0u);
}

TEST(GemmaConfig, AnUntiedHeadIsATensorOfItsOwn) {
  GemmaConfig config = TinyForTest();
  config.tied_head = false;
  EXPECT_EQ(TensorShapes(config).at("lm_head.weight"), (std::vector<int64_t>{61, 24}));
}

TEST(GemmaConfig, TextChangesWithEveryValueOfTheForward) {
  const std::string text = ConfigText(TinyForTest());
  const auto changed = [&](auto change) {
    GemmaConfig config = TinyForTest();
    change(config);
    return ConfigText(config) != text;
  };
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.architecture = Architecture::kGemma3; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.heads = 2; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.query_pre_attn_scalar = 8; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.attention_softcap.reset(); }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.final_softcap = 31; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.sliding_window = 5; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.sliding[1] = !c.sliding[1]; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.rope_theta_global = 1; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.rope_theta_local = 1; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.rope_scaling_global = 2; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.rms_norm_eps = 1e-5; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.tied_head = false; }));
  EXPECT_TRUE(changed([](GemmaConfig& c) { c.llama3_rope = Llama3Scaling(); }));
  EXPECT_FALSE(changed([](GemmaConfig& c) { c.nested = true; }));
  EXPECT_FALSE(changed([](GemmaConfig& c) { c.warnings.emplace_back("a warning"); }));
}

}  // namespace
}  // namespace fpo::train
