#include "train/features/feature_sums.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FeatureSums, ByHand) {
  // Three responses in two batches; features: falls silent, unmoved on average, rises.
  const at::Tensor before = at::tensor({0.8, 1.0, 0.0, 0.4, 3.0, 0.0, 0.0, 2.0, 0.0}).view({3, 3});
  const at::Tensor after = at::tensor({0.0, 2.0, 0.0, 0.0, 2.0, 0.0, 0.0, 2.0, 0.6}).view({3, 3});
  FeatureSums sums(3);
  sums.Add(before.narrow(0, 0, 2), after.narrow(0, 0, 2));
  sums.Add(before.narrow(0, 2, 1), after.narrow(0, 2, 1));
  EXPECT_EQ(sums.responses(), 3);
  const FeatureSide silent = sums.Side(0);
  EXPECT_NEAR(silent.before, 0.4, 1e-12);
  EXPECT_EQ(silent.after, 0);
  EXPECT_NEAR(silent.moved, 0.4, 1e-12);
  EXPECT_NEAR(silent.active_before, 2.0 / 3, 1e-12);
  EXPECT_EQ(silent.active_after, 0);
  // Squares: 0.64 + 0.16, 1 + 1, 0.36.
  EXPECT_NEAR(silent.share, 0.8 / 3.16, 1e-12);
  const FeatureSide swings = sums.Side(1);
  EXPECT_NEAR(swings.change(), 0, 1e-12);
  EXPECT_NEAR(swings.moved, 2.0 / 3, 1e-12);
  EXPECT_NEAR(swings.share, 2 / 3.16, 1e-12);
  EXPECT_THAT(Largest(sums.Movement(), 3), ElementsAre(0, 2)) << "1 did not move on average";
}

TEST(FeatureSums, NothingIsZero) {
  const FeatureSums sums(2);
  EXPECT_EQ(sums.Side(1), FeatureSide());
  EXPECT_THAT(Largest(sums.Movement(), 5), IsEmpty());
}

TEST(FeatureSums, SmallChangesOfManyResponsesAreNotLost) {
  FeatureSums sums(1);
  const at::Tensor before = at::full({1 << 16, 1}, 1000.0f),
                   after = at::full({1 << 16, 1}, 1000.0625f);
  for (int i = 0; i < 16; ++i) sums.Add(before, after);
  EXPECT_DOUBLE_EQ(sums.Side(0).change(), 0.0625);
}

TEST(LargestTest, TiesGoToTheLowestIndex) {
  EXPECT_THAT(Largest(at::tensor({1.0, 2.0, 2.0, 0.0, 1.0}), 3), ElementsAre(1, 2, 0));
  EXPECT_THAT(Largest(at::tensor({0.0, -1.0}), 3), IsEmpty());
}

}  // namespace
}  // namespace fpo::train
