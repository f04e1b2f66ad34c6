#include "train/ops/rope.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

TEST(Rope, GivesThePublishedValues) {
  const RopeTable table = MakeRopeTable(2, 4, {100, 1}, at::zeros({1}));
  const at::Tensor y = ApplyRope(at::ones({1, 2, 2, 4}), table);
  EXPECT_TRUE(at::equal(y[0][0], at::ones({2, 4})));
  const at::Tensor expected = at::tensor({-0.30116868f, 0.89517075f, 1.3817732f, 1.0948375f});
  EXPECT_LT(RelativeError(y[0][1][0], expected), 1e-6);
  EXPECT_LT(RelativeError(y[0][1][1], expected), 1e-6);
}

TEST(Rope, LinearScalingDividesPositions) {
  const at::Tensor like = at::zeros({1}, at::kDouble);
  const RopeTable scaled = MakeRopeTable(9, 6, {10000, 8}, like);
  const RopeTable plain = MakeRopeTable(2, 6, {10000, 1}, like);
  EXPECT_LT(RelativeError(scaled.cos[8], plain.cos[1]), 1e-14);
  EXPECT_LT(RelativeError(scaled.sin[8], plain.sin[1]), 1e-14);
}

// Of Llama 3.2's values, whose 64 frequencies lie on both sides of each bound.
TEST(Rope, Llama3ScalingLeavesFastTurnsAndSlowsSlowOnes) {
  const at::Tensor like = at::zeros({1}, at::kDouble);
  const Llama3Scaling scaling = {32, 1, 4, 8192};
  const RopeTable table = MakeRopeTable(2, 128, {500000, 1, scaling}, like);
  int fast = 0, slow = 0, between = 0;
  for (int i = 0; i < 64; ++i) {
    const double plain = std::pow(500000, -i / 64.0), turns = 8192 * plain / (2 * M_PI);
    double expected = plain / 32;
    if (turns > 4) {
      expected = plain;
      ++fast;
    } else if (turns > 1) {
      const double smooth = (turns - 1) / (4 - 1);
      expected = (1 - smooth) * plain / 32 + smooth * plain;
      ++between;
    } else {
      ++slow;
    }
    EXPECT_NEAR(table.sin[1][i].item<double>() / std::sin(expected), 1, 1e-12) << i;
  }
  EXPECT_GT(fast, 25);
  EXPECT_GT(between, 3);
  EXPECT_GT(slow, 20);
}

TEST(Rope, HasExactGradients) {
  at::manual_seed(1);
  const RopeTable table = MakeRopeTable(3, 6, {100, 1}, at::zeros({1}, at::kDouble));
  ExpectGradientsMatchDifferences([&](const auto& in) { return ApplyRope(in[0], table); },
                                  {at::randn({2, 3, 2, 6}, at::kDouble)});
}

TEST(Rope, RefusesAnotherLength) {
  const RopeTable table = MakeRopeTable(3, 6, {100, 1}, at::zeros({1}));
  EXPECT_THROW(ApplyRope(at::zeros({1, 4, 1, 6}), table), c10::Error);
}

}  // namespace
}  // namespace fpo::train
