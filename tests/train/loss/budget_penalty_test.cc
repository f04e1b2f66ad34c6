#include "train/loss/budget_penalty.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

constexpr int64_t kHeldPairs = 6;

SideValues SideWithDivergence() {
  return {-at::rand({kHeldPairs}, at::kDouble) * 20, -at::rand({kHeldPairs}, at::kDouble) * 20,
          at::randint(1, 12, {kHeldPairs}, at::kLong), at::rand({kHeldPairs}, at::kDouble)};
}

PreferencePairs PairsWithDivergence() {
  at::manual_seed(6);
  return {SideWithDivergence(), SideWithDivergence(),
          at::tensor({1.0, 1.0, 0.0, 2.0, 1.0, 1.0}, at::kDouble)};
}

PreferenceOptions WithBudget(Method method, double alpha) {
  PreferenceOptions options{method, 0.7, alpha, 0.3, 0.1, false};
  options.budget = true;
  return options;
}

std::vector<at::Tensor> GradientsWithBudget(const PreferenceOptions& options,
                                            PreferencePairs pairs) {
  const std::vector<at::Tensor> inputs = {pairs.chosen.logp, pairs.rejected.logp,
                                          pairs.chosen.divergence, pairs.rejected.divergence};
  for (const at::Tensor& input : inputs) input.set_requires_grad(true);
  return torch::autograd::grad({PreferenceLoss(options, pairs, {double(kHeldPairs)})}, inputs, {},
                               false, false,
                               /*allow_unused=*/true);
}

TEST(BudgetPenalty, IsTheMeanOfBothSidesByHand) {
  PreferencePairs pairs;
  pairs.chosen.divergence = at::tensor({0.5, 4.0}, at::kDouble);
  pairs.rejected.divergence = at::tensor({1.5, 0.0}, at::kDouble);
  const at::Tensor penalty = BudgetPenalty(pairs, 3);
  EXPECT_DOUBLE_EQ(penalty[0].item<double>(), 3);
  EXPECT_DOUBLE_EQ(penalty[1].item<double>(), 6);
}

// L = loss without a constraint + alpha beta (D_w + D_l) / 2: the multiplier weighs every pair
// alike, whatever its margin, and both its sides.
TEST(BudgetPenalty, HasTheGradientsOfTheLagrangian) {
  for (const Method method : {Method::kFpo, Method::kTdpo2, Method::kSimpoKl}) {
    const PreferencePairs pairs = PairsWithDivergence();
    const PreferenceOptions with = WithBudget(method, 0.9), without = WithBudget(method, 0);
    const auto grads = GradientsWithBudget(with, PairsWithDivergence()),
               plain = GradientsWithBudget(without, PairsWithDivergence());
    for (size_t i : {0u, 1u}) EXPECT_TRUE(at::equal(grads[i], plain[i])) << MethodName(method);
    const at::Tensor expected = pairs.weight / kHeldPairs * (0.9 * 0.7 / 2);
    for (size_t i : {2u, 3u}) {
      EXPECT_LT(RelativeError(grads[i], expected), 1e-14) << MethodName(method) << " " << i;
    }
    const double added = PreferenceLoss(with, pairs, {double(kHeldPairs)}).item<double>() -
                         PreferenceLoss(without, pairs, {double(kHeldPairs)}).item<double>();
    const at::Tensor both = pairs.chosen.divergence + pairs.rejected.divergence;
    EXPECT_NEAR(added, (expected * both).sum().item<double>(), 1e-15) << MethodName(method);
  }
}

// At u = 0, where training starts, a budget's alpha pulls the rejected side as FPO's own does.
TEST(BudgetPenalty, AlphaMeansWhatItMeansInFpo) {
  PreferencePairs pairs = PairsWithDivergence();
  pairs.weight = at::Tensor();
  for (SideValues* side : {&pairs.chosen, &pairs.rejected}) {
    side->reference_logp = side->logp;
    side->divergence = at::full({kHeldPairs}, 0.25, at::kDouble);
  }
  PreferenceOptions budget = WithBudget(Method::kFpo, 0.9);
  budget.label_smoothing = 0;
  PreferenceOptions fpo = budget;
  fpo.budget = false;
  fpo.stop_gradient = true;
  EXPECT_LT(
      RelativeError(GradientsWithBudget(budget, pairs)[3], GradientsWithBudget(fpo, pairs)[3]),
      1e-14);
}

}  // namespace
}  // namespace fpo::train
