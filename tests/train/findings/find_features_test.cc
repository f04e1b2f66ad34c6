#include "train/findings/find_features.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/findings/style_feature.h"

namespace fpo::train {
namespace {

TEST(FindFeatures, ThePlantedStyleIsNamedAndItsSpanIsThePhrase) {
  StyleFeature made;
  const auto found = made.Find();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_FALSE(found->features.empty());
  const FeatureFinding& first = found->features.front();
  EXPECT_EQ(first.name, "feature 5");
  EXPECT_GT(first.test.effect_at_equal_length, 0);
  EXPECT_LT(first.test.q_at_equal_length, 0.05);
  ASSERT_EQ(first.spans.size(), 3u);
  for (const FoundSpan& span : first.spans) {
    EXPECT_TRUE(span.is_chosen);
    EXPECT_EQ(span.pair.index % 2, 0) << "a pair with the style";
    EXPECT_TRUE(absl::StrContains(" " + span.strong + " ", " 51 ")) << span.strong;
  }
  EXPECT_EQ(found->plain.size(), 3u);
}

}  // namespace
}  // namespace fpo::train
