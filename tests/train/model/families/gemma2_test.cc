#include "gtest/gtest.h"
#include "tests/train/model/config_files.h"

namespace fpo::train {
namespace {

TEST(Gemma2Family, SoftcapsNullMeansNoneAndMissingTheDefault) {
  nlohmann::json file = Gemma2File();
  file["attn_logit_softcapping"] = nullptr;
  file.erase("final_logit_softcapping");
  const auto config = ParseGemmaConfig(file.dump());
  ASSERT_TRUE(config.ok());
  EXPECT_FALSE(config->attention_softcap.has_value());
  EXPECT_EQ(config->final_softcap, 30.0);
}

TEST(Gemma2Family, WarnsOfTheKnownMistakeInEarly9BFiles) {
  nlohmann::json file = Gemma2File();
  EXPECT_TRUE(ParseGemmaConfig(file.dump())->warnings.empty());
  file["hidden_size"] = 3584;
  file["query_pre_attn_scalar"] = 224;
  const auto config = ParseGemmaConfig(file.dump());
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_EQ(config->query_pre_attn_scalar, 224);
}

}  // namespace
}  // namespace fpo::train
