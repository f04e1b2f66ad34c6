#include "common/inputs/model_kind.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(ModelKind, OtherGemmasAreNamed) {
  for (const char* ours : {"gemma2", "gemma3", "gemma3_text", "llama", "qwen3"})
    EXPECT_EQ(ForeignModelType(ours), "");
  const std::pair<const char*, const char*> others[] = {{"gemma", "Gemma 1"},
                                                        {"gemma3n", "Gemma 3n"},
                                                        {"gemma3n_text", "Gemma 3n"},
                                                        {"gemma4", "Gemma 4"},
                                                        {"gemma4_text", "Gemma 4"},
                                                        {"gemma4_unified", "Gemma 4"},
                                                        {"paligemma", "PaliGemma"},
                                                        {"t5gemma", "T5Gemma"},
                                                        {"t5gemma2", "T5Gemma"},
                                                        {"recurrent_gemma", "RecurrentGemma"},
                                                        {"vaultgemma", "VaultGemma"},
                                                        {"embedding_gemma2", "EmbeddingGemma"},
                                                        {"shieldgemma2", "ShieldGemma"},
                                                        {"llama4", "mixtures of experts"},
                                                        {"mllama", "images"},
                                                        {"qwen2", "biases"},
                                                        {"qwen2_moe", "experts"},
                                                        {"qwen3_moe", "experts"},
                                                        {"mistral", "Mistral"},
                                                        {"olmo", "supported are gemma2"}};
  for (const auto& [type, name] : others) EXPECT_THAT(ForeignModelType(type), HasSubstr(name));
}

TEST(ModelKind, QuantisationsAreNamed) {
  EXPECT_EQ(QuantisationName("null"), "");
  EXPECT_EQ(QuantisationName("{}"), "");
  EXPECT_EQ(QuantisationName(R"({"load_in_4bit": true})"), "bitsandbytes (4 bits)");
  EXPECT_EQ(QuantisationName(R"({"quant_method": "bitsandbytes", "_load_in_8bit": true})"),
            "bitsandbytes (8 bits)");
  EXPECT_EQ(QuantisationName(R"({"quant_method": "gptq", "bits": 4})"), "gptq (4 bits)");
  EXPECT_EQ(QuantisationName(R"({"quant_method": "awq", "bits": 4})"), "awq (4 bits)");
  EXPECT_EQ(QuantisationName(R"({"quant_method": "fp8"})"), "fp8");
  EXPECT_EQ(QuantisationName(R"({"quant_method": "compressed-tensors"})"), "compressed-tensors");
  EXPECT_THAT(DequantiseHint("/m"), HasSubstr("dequantize()"));
}

TEST(ModelKind, OnlyNf4OfBitsandbytesIsReadAsItIs) {
  const std::string nf4 = R"({"quant_method": "bitsandbytes", "load_in_4bit": true)";
  EXPECT_TRUE(IsNf4Config(nf4 + R"(, "bnb_4bit_quant_type": "nf4"})"));
  EXPECT_TRUE(
      IsNf4Config(nf4 + R"(, "bnb_4bit_quant_type": "nf4", "bnb_4bit_quant_storage": "uint8"})"));
  EXPECT_FALSE(IsNf4Config(
      nf4 + R"(, "bnb_4bit_quant_type": "nf4", "bnb_4bit_quant_storage": "bfloat16"})"));
  EXPECT_FALSE(IsNf4Config(nf4 + "}")) << "which is FP4";
  EXPECT_EQ(QuantisationName(nf4 + R"(, "bnb_4bit_quant_type": "fp4"})"), "bitsandbytes (fp4)");
  EXPECT_FALSE(IsNf4Config(R"({"quant_method": "gptq", "bnb_4bit_quant_type": "nf4"})"));
  EXPECT_FALSE(IsNf4Config("{"));
}

}  // namespace
}  // namespace fpo
