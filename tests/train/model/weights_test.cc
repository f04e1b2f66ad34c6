#include "train/model/weights.h"

#include <ATen/ATen.h>

#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "train/model/gemma.h"

namespace fpo::train {
namespace {

constexpr char kHead[] = "lm_head.weight";
constexpr char kEmbedding[] = "model.embed_tokens.weight";

TensorMap Weights(const GemmaConfig& config) {
  TensorMap weights;
  const Gemma model = Gemma::Random(config, 1, at::kFloat);
  for (const auto& [name, tensor] : model.Parameters()) weights[name] = tensor;
  return weights;
}

std::string ErrorOf(const GemmaConfig& config, const TensorMap& weights) {
  const auto ordered = OrderWeights(config, weights);
  return ordered.ok() ? "accepted" : std::string(ordered.status().message());
}

TEST(OrderWeights, PutsThemInModelOrder) {
  const GemmaConfig config = TinyForTest();
  const auto ordered = OrderWeights(config, Weights(config));
  ASSERT_TRUE(ordered.ok()) << ordered.status();
  const std::vector<std::string> names = WeightNames(config);
  ASSERT_EQ(ordered->size(), names.size());
  EXPECT_EQ(names.front(), kEmbedding);
  EXPECT_EQ(names.back(), "model.norm.weight");
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ((*ordered)[i].first, names[i]);
}

TEST(OrderWeights, AcceptsThePrefixesOfNestedModels) {
  GemmaConfig config = TinyForTest(Architecture::kGemma3);
  config.nested = true;
  TensorMap older, newer;
  for (const auto& [name, tensor] : Weights(config)) {
    older["language_model." + name] = tensor;
    newer["model.language_model." + name.substr(sizeof("model.") - 1)] = tensor;
  }
  older["vision_tower.patch.weight"] = newer["model.vision_tower.patch.weight"] = at::zeros({1});
  EXPECT_EQ(ErrorOf(config, older), "accepted");
  EXPECT_EQ(ErrorOf(config, newer), "accepted");
  config.nested = false;
  EXPECT_NE(ErrorOf(config, older).find("vision_tower.patch.weight"), std::string::npos);
}

TEST(OrderWeights, NamesTheTensorThatIsWrong) {
  const GemmaConfig config = TinyForTest();
  const std::string name = "model.layers.1.mlp.up_proj.weight";
  TensorMap weights = Weights(config);
  weights.erase(name);
  EXPECT_NE(ErrorOf(config, weights).find("\"" + name + "\" is missing"), std::string::npos);
  weights[name] = at::zeros({24, 40});
  EXPECT_NE(ErrorOf(config, weights).find("has shape [24, 40], but config.json asks for [40, 24]"),
            std::string::npos);
  weights[name] = at::zeros({40, 24}, at::kBFloat16);
  EXPECT_NE(ErrorOf(config, weights).find("one floating dtype"), std::string::npos);
  weights[name] = at::zeros({40, 24});
  weights[name][3][2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(ErrorOf(config, weights).find(name + "\" has 1 values that are not finite"),
            std::string::npos);
  weights[name] = at::full({40, 24}, std::numeric_limits<float>::max());  // finite, if huge
  EXPECT_EQ(ErrorOf(config, weights), "accepted");
  weights["model.layers.3.mlp.up_proj.weight"] = at::zeros({40, 24});
  EXPECT_NE(ErrorOf(config, weights).find("not part of the model"), std::string::npos);
}

TEST(OrderWeights, ATiedHeadMustEqualTheEmbedding) {
  const GemmaConfig config = TinyForTest();
  TensorMap weights = Weights(config);
  weights[kHead] = weights[kEmbedding].clone();
  EXPECT_EQ(ErrorOf(config, weights), "accepted");
  weights[kHead] = weights[kEmbedding] + 1;
  EXPECT_NE(ErrorOf(config, weights).find("tie_word_embeddings"), std::string::npos);
}

TEST(OrderWeights, AnUntiedHeadIsNeeded) {
  GemmaConfig config = TinyForTest();
  TensorMap weights = Weights(config);
  config.tied_head = false;
  EXPECT_NE(ErrorOf(config, weights).find("\"lm_head.weight\" is missing"), std::string::npos);
  weights[kHead] = at::zeros({61, 24});
  EXPECT_EQ(ErrorOf(config, weights), "accepted");
}

}  // namespace
}  // namespace fpo::train
