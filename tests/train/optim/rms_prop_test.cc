#include "train/optim/rms_prop.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(RmsProp, FollowsTheFormula) {
  OptimizerOptions options;
  options.alpha = 0.9;
  options.eps = 1e-3;
  options.weight_decay = 0.2;
  const at::Tensor x = at::full({1}, 3.0, at::kFloat);
  RmsProp optimizer({{"x", x}}, options);
  double expected = 3, v = 0;
  for (const double grad : {1.0, -2.0, 0.5}) {
    optimizer.Step({at::full({1}, grad, at::kFloat)}, 0.1);
    const double g = grad + 0.2 * expected;
    v = 0.9 * v + 0.1 * g * g;
    expected -= 0.1 * g / (std::sqrt(v) + 1e-3);
  }
  EXPECT_NEAR(x.item<double>(), expected, 1e-6);
}

TEST(RmsProp, LeavesTheGradientAlone) {
  OptimizerOptions options;
  options.weight_decay = 0.2;
  const at::Tensor gradient = at::ones({2});
  RmsProp optimizer({{"x", at::ones({2})}}, options);
  optimizer.Step({gradient}, 0.1);
  EXPECT_TRUE(at::equal(gradient, at::ones({2})));
}

}  // namespace
}  // namespace fpo::train
