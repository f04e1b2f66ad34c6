#include "train/ops/gated_product.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

TEST(Geglu, IsTheTanhApproximationTimesUp) {
  const double x = 0.7, up = -1.3;
  const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  const double expected = 0.5 * x * (1 + std::tanh(inner)) * up;
  const at::Tensor y = Geglu(at::full({1}, x, at::kDouble), at::full({1}, up, at::kDouble));
  EXPECT_NEAR(y.item<double>(), expected, 1e-14);
}

TEST(Geglu, HasExactGradients) {
  at::manual_seed(1);
  ExpectGradientsMatchDifferences(
      [](const auto& in) { return Geglu(in[0], in[1]); },
      {at::randn({3, 4}, at::kDouble) * 2, at::randn({3, 4}, at::kDouble)});
}

TEST(Swiglu, IsTheGateTimesItsSigmoidTimesUp) {
  const double x = -1.7, up = 0.6;
  const at::Tensor y = Swiglu(at::full({1}, x, at::kDouble), at::full({1}, up, at::kDouble));
  EXPECT_NEAR(y.item<double>(), x / (1 + std::exp(-x)) * up, 1e-15);
}

TEST(Swiglu, HasExactGradients) {
  at::manual_seed(1);
  ExpectGradientsMatchDifferences(
      [](const auto& in) { return Swiglu(in[0], in[1]); },
      {at::randn({3, 4}, at::kDouble) * 2, at::randn({3, 4}, at::kDouble)});
}

TEST(Swiglu, RoundsOnceInLowerPrecision) {
  at::manual_seed(2);
  const at::Tensor gate = at::randn({64}).to(at::kBFloat16), up = at::randn({64}).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(Swiglu(gate, up),
                        Swiglu(gate.to(at::kFloat), up.to(at::kFloat)).to(at::kBFloat16)));
}

TEST(Geglu, RoundsOnceInLowerPrecision) {
  at::manual_seed(2);
  const at::Tensor gate = at::randn({64}).to(at::kBFloat16), up = at::randn({64}).to(at::kBFloat16);
  EXPECT_TRUE(
      at::equal(Geglu(gate, up), Geglu(gate.to(at::kFloat), up.to(at::kFloat)).to(at::kBFloat16)));
}

}  // namespace
}  // namespace fpo::train
