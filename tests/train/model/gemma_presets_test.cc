#include "gtest/gtest.h"
#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

TEST(GemmaPresets, LayerPatterns) {
  const GemmaConfig gemma2 = Gemma2_2B();
  EXPECT_TRUE(gemma2.sliding[0]);
  EXPECT_FALSE(gemma2.sliding[1]);
  EXPECT_FALSE(gemma2.sliding[25]);
  const GemmaConfig gemma3 = Gemma3_270M();
  for (int64_t layer = 0; layer < gemma3.layers; ++layer) {
    EXPECT_EQ(gemma3.sliding[layer], layer != 5 && layer != 11 && layer != 17) << layer;
  }
}

TEST(GemmaPresets, TheTinyOnesHaveEveryFeature) {
  for (const auto architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    const GemmaConfig tiny = TinyForTest(architecture);
    EXPECT_EQ(tiny.query_pre_attn_scalar != tiny.head_dim, tiny.family().scales_embedding);
    EXPECT_NE(tiny.heads, tiny.kv_heads);
    EXPECT_NE(tiny.heads * tiny.head_dim, tiny.hidden_size);
    EXPECT_EQ(tiny.sliding.size(), static_cast<size_t>(tiny.layers));
    EXPECT_LT(ParameterCount(tiny), 50000);
  }
}

}  // namespace
}  // namespace fpo::train
