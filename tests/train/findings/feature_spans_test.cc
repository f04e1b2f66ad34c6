#include "train/findings/feature_spans.h"

#include <gtest/gtest.h>

#include "tests/train/findings/style_feature.h"

namespace fpo::train {
namespace {

TEST(FeatureSpans, StrongTokensAreThoseBesideTheGreatest) {
  const StrongTokens strong = StrongestTokens({0, 4, 1, 3, 6, 2.9f, 3, 0});
  EXPECT_EQ(strong.first, 3);
  EXPECT_EQ(strong.last, 4);
  EXPECT_EQ(strong.activation, 6);
  const StrongTokens flat = StrongestTokens({0, 0});
  EXPECT_EQ(flat.first, 0);
  EXPECT_EQ(flat.last, 0);
}

TEST(FeatureSpans, TheMeanOfTheActivationsIsThePooledFeature) {
  StyleFeature made;
  const TokenPair& pair = made.pair(0);
  const auto activations =
      TokenActivations(made.model(), made.sae(), kStyleFeature, {pair.prompt, pair.chosen});
  ASSERT_TRUE(activations.ok()) << activations.status();
  ASSERT_EQ(activations->size(), pair.chosen.size());
  Scorer::Options options;
  options.saes = {made.sae()};
  const auto records = Scorer(made.model(), options).Score({{pair.prompt, pair.chosen}}, nullptr);
  double pooled = 0, sum = 0;
  for (const auto& [index, value] : records->front().features.front()) {
    if (index == kStyleFeature) pooled = value;
  }
  for (const float value : *activations) sum += value;
  EXPECT_GT(pooled, 0);
  EXPECT_NEAR(sum / static_cast<double>(activations->size()), pooled, 1e-5);
}

}  // namespace
}  // namespace fpo::train
