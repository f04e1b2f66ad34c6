#include "train/optim/adam.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gtest/gtest.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

// Three steps of one element in float64 with the gradients 1, -2, 0.5.
double ByHand(const OptimizerOptions& o, double lr, bool decoupled) {
  double x = 3, m = 0, v = 0;
  const double grads[] = {1, -2, 0.5};
  for (int t = 1; t <= 3; ++t) {
    double g = grads[t - 1];
    if (decoupled) {
      x -= lr * o.weight_decay * x;
    } else {
      g += o.weight_decay * x;
    }
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    const double mean = m / (1 - std::pow(o.beta1, t)), square = v / (1 - std::pow(o.beta2, t));
    x -= lr * mean / (std::sqrt(square) + o.eps);
  }
  return x;
}

double ByOptimizer(const OptimizerOptions& o, double lr, bool decoupled, bool kernels = true) {
  FastPaths paths = ActiveFastPaths();
  paths.kernels = paths.kernels && kernels;
  const FastPathsInScope scope(paths);
  const at::Tensor x = at::full({1}, 3.0, at::kFloat);
  Adam adam({{"x", x}}, o, decoupled);
  for (const double g : {1.0, -2.0, 0.5}) adam.Step({at::full({1}, g, at::kFloat)}, lr);
  return x.item<double>();
}

TEST(Adam, FollowsTheFormula) {
  OptimizerOptions options;
  EXPECT_NEAR(ByOptimizer(options, 0.1, false), ByHand(options, 0.1, false), 1e-6);
  options = {0.7, 0.9, 0, 1e-2, 0.3};
  EXPECT_NEAR(ByOptimizer(options, 0.1, false), ByHand(options, 0.1, false), 1e-6);
}

TEST(Adam, DecoupledDecayShrinksTheParameterItself) {
  const OptimizerOptions options = {0.7, 0.9, 0, 1e-2, 0.3};
  for (const bool kernels : {true, false}) {
    EXPECT_NEAR(ByOptimizer(options, 0.1, true, kernels), ByHand(options, 0.1, true), 1e-6);
  }
  EXPECT_GT(std::abs(ByHand(options, 0.1, true) - ByHand(options, 0.1, false)), 1e-3);
}

}  // namespace
}  // namespace fpo::train
