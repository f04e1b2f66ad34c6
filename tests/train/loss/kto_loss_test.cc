#include "train/loss/kto_loss.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

at::Tensor Doubles(std::vector<double> values) { return at::tensor(values, at::kDouble); }
at::Tensor Marks(std::vector<int> labels) { return at::tensor(labels).to(at::kBool); }
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(KtoLoss, FollowsTheFormulaByHand) {
  const KtoExamples examples = {Doubles({-4, -9}), Doubles({-5, -6}), Marks({1, 0})};
  const at::Tensor losses = KtoLosses({0.5, 2, 3}, examples, 0.25);
  EXPECT_NEAR(losses[0].item<double>(), 2 * (1 - Sigmoid(0.5 * (1 - 0.25))), 1e-15);
  EXPECT_NEAR(losses[1].item<double>(), 3 * (1 - Sigmoid(0.5 * (0.25 + 3))), 1e-15);
  const at::Tensor rewards = KtoRewards({0.5, 2, 3}, examples);
  EXPECT_DOUBLE_EQ(rewards[0].item<double>(), 0.5);
  EXPECT_DOUBLE_EQ(rewards[1].item<double>(), -1.5);
}

TEST(KtoLoss, GradientsAreThoseOfFiniteDifferences) {
  const at::Tensor reference = Doubles({-5, -6, -3, -2}), labels = Marks({1, 0, 0, 1});
  ExpectGradientsMatchDifferences(
      [&](const std::vector<at::Tensor>& in) {
        return KtoLosses({0.3, 1.5, 0.75}, {in[0], reference, labels}, 0.4);
      },
      {Doubles({-4, -9, -2.5, -3})});
}

// A reward that grows lowers the loss of a desirable example and raises that of an undesirable one,
// and a larger KL does the opposite.
TEST(KtoLoss, SignsFollowTheLabels) {
  const auto loss = [](bool desirable, double logp, double kl) {
    return KtoLosses({}, {Doubles({logp}), Doubles({-5}), Marks({desirable})}, kl).item<double>();
  };
  EXPECT_LT(loss(true, -4, 0), loss(true, -5, 0));
  EXPECT_GT(loss(false, -4, 0), loss(false, -5, 0));
  EXPECT_GT(loss(true, -4, 2), loss(true, -4, 0));
  EXPECT_LT(loss(false, -4, 2), loss(false, -4, 0));
}

TEST(KtoKl, IsAMeanOfAtLeastZero) {
  EXPECT_DOUBLE_EQ(KtoKl(6, 4), 1.5);
  EXPECT_EQ(KtoKl(-6, 4), 0);
  EXPECT_TRUE(std::isnan(KtoKl(std::numeric_limits<double>::quiet_NaN(), 4)));
}

TEST(KtoLoss, SaysWhatIsMissing) {
  EXPECT_THROW(KtoLosses({}, {Doubles({-4}), {}, Marks({1})}, 0), c10::Error);
  EXPECT_THROW(KtoLosses({}, {Doubles({-4}), Doubles({-4}), Marks({1, 0})}, 0), c10::Error);
}

}  // namespace
}  // namespace fpo::train
