#include "train/loss/pair_loss.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

using Kind = PairLossKind;

double Number(const at::Tensor& x) { return x.item<double>(); }

double Of(double u, const PairLossOptions& options) {
  return Number(LossOfMargin(at::full({1}, u, at::kDouble), options));
}

// -log sigmoid(u) without LibTorch.
double Softplus(double u) { return std::log1p(std::exp(-std::abs(u))) + std::max(-u, 0.0); }

TEST(LossOfMargin, FollowsTheFormulas) {
  for (const double u : {-3.0, -0.4, 0.0, 0.7, 1.0, 5.0}) {
    EXPECT_NEAR(Of(u, {}), Softplus(u), 1e-15);
    EXPECT_NEAR(Of(u, {Kind::kSigmoid, 1, 0.1}), 0.9 * Softplus(u) + 0.1 * Softplus(-u), 1e-15);
    EXPECT_NEAR(Of(u, {Kind::kHinge}), std::max(0.0, 1 - u), 1e-15);
    EXPECT_NEAR(Of(u, {Kind::kIpo, 0.2}), std::pow(u / 0.2 - 2.5, 2), 1e-12);
    EXPECT_NEAR(Of(u, {Kind::kRobust, 1, 0.1}), (0.9 * Softplus(u) - 0.1 * Softplus(-u)) / 0.8,
                1e-14);
  }
}

// What robust is for: over labels of which a share epsilon is flipped, its mean is the loss of the
// true ones.
TEST(LossOfMargin, RobustIsUnbiasedUnderFlippedLabels) {
  const PairLossOptions robust{Kind::kRobust, 1, 0.2};
  EXPECT_NEAR(0.8 * Of(0.6, robust) + 0.2 * Of(-0.6, robust), Of(0.6, {}), 1e-15);
}

TEST(LossOfMargin, GradientsAreThoseOfFiniteDifferences) {
  for (const Kind kind : {Kind::kSigmoid, Kind::kHinge, Kind::kIpo, Kind::kRobust}) {
    const PairLossOptions options{kind, 0.4, kind == Kind::kRobust ? 0.15 : 0};
    ExpectGradientsMatchDifferences(
        [&](const std::vector<at::Tensor>& in) { return LossOfMargin(in[0], options); },
        {at::tensor({-2.0, -0.3, 0.2, 0.9, 1.1, 4.0}, at::kDouble)});
  }
}

TEST(LossOfMargin, IsExactFarFromZero) {
  const at::Tensor u = at::tensor({-1000.0, -25.0, 25.0, 1000.0}, at::kDouble);
  const at::Tensor loss = LossOfMargin(u, {});
  EXPECT_DOUBLE_EQ(Number(loss[0]), 1000);
  EXPECT_NEAR(Number(loss[2]) / std::log1p(std::exp(-25.0)), 1, 1e-12);
  EXPECT_GE(Number(loss[3]), 0);
  EXPECT_DOUBLE_EQ(Number(LossOfMargin(u, {Kind::kSigmoid, 1, 0.25})[0]), 750);
}

TEST(ParsePairLoss, Names) {
  EXPECT_EQ(*ParsePairLoss("sigmoid"), Kind::kSigmoid);
  EXPECT_EQ(*ParsePairLoss("hinge"), Kind::kHinge);
  EXPECT_EQ(*ParsePairLoss("ipo"), Kind::kIpo);
  EXPECT_EQ(*ParsePairLoss("robust"), Kind::kRobust);
  EXPECT_NE(ParsePairLoss("apo").status().message().find("allowed are sigmoid, hinge, ipo, robust"),
            std::string::npos);
}

}  // namespace
}  // namespace fpo::train
