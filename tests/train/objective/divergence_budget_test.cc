#include "train/objective/divergence_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using StepMetrics = std::map<std::string, double>;

DivergenceBudget Budget(std::optional<double> budget, double beta = 2) {
  ConstraintSection constraint;
  constraint.budget = budget;
  MethodSection method;
  method.beta = beta;
  method.alpha = 0.5;
  return {constraint, method};
}

StepMetrics StepWith(double divergence, double loss) {
  return {{"divergence/chosen", 0.8 * divergence},
          {"divergence/rejected", 1.2 * divergence},
          {"loss", loss}};
}

// A run of which only what a budget sees is left: loss = softplus(-p theta), D = scale |A theta|^2
// with eigenvalues over two decades, Adam or gradient descent with noisy gradients, and batches
// whose D differs by `noise`.
struct Plant {
  double scale = 1;
  double lr = 0.01;
  bool adam = true;
  double noise = 0.1;
  double noisy_gradients = 0.3;
  double pull = 1;  // |p|
};

struct Outcome {
  std::vector<double> divergence, alpha;  // of each step
  BudgetState state;
  double MeanOfLast(size_t steps) const {
    double sum = 0;
    for (size_t i = divergence.size() - steps; i < divergence.size(); ++i) sum += divergence[i];
    return sum / static_cast<double>(steps);
  }
};

class Simulation {
 public:
  Simulation(const Plant& plant, double beta, uint32_t seed)
      : plant_(plant), beta_(beta), random_(seed) {
    for (size_t i = 0; i < kSize; ++i) {
      pull_[i] = plant.pull * Normal() / std::sqrt(double{kSize});
      curvature_[i] = plant.scale * std::pow(100, double(i) / kSize - 0.5);
    }
  }

  Outcome Run(const DivergenceBudget& budget, int steps) {
    Outcome outcome;
    for (int step = 1; step <= steps; ++step) {
      const double alpha = budget.Alpha(outcome.state);
      const double divergence = Divergence() * std::exp(plant_.noise * Normal());
      StepMetrics metrics = StepWith(divergence, std::log1p(std::exp(-Margin())));
      budget.Observe(&metrics, &outcome.state);
      Descend(alpha, step);
      outcome.divergence.push_back(divergence);
      outcome.alpha.push_back(alpha);
    }
    return outcome;
  }

 private:
  static constexpr size_t kSize = 16;
  double Normal() { return std::normal_distribution<double>()(random_); }
  double Margin() const {
    double sum = 0;
    for (size_t i = 0; i < kSize; ++i) sum += pull_[i] * theta_[i];
    return sum;
  }
  double Divergence() const {
    double sum = 0;
    for (size_t i = 0; i < kSize; ++i) sum += curvature_[i] * theta_[i] * theta_[i];
    return sum;
  }
  void Descend(double alpha, int step) {
    const double weight = 1 / (1 + std::exp(Margin()));
    for (size_t i = 0; i < kSize; ++i) {
      const double noise = plant_.noisy_gradients * plant_.pull / std::sqrt(double{kSize});
      const double g =
          -weight * pull_[i] + 2 * alpha * beta_ * curvature_[i] * theta_[i] + noise * Normal();
      first_[i] += 0.1 * (g - first_[i]);
      second_[i] += 0.001 * (g * g - second_[i]);
      const double adam = first_[i] / (1 - std::pow(0.9, step)) /
                          (std::sqrt(second_[i] / (1 - std::pow(0.999, step))) + 1e-12);
      theta_[i] -= plant_.lr * (plant_.adam ? adam : g);
    }
  }

  Plant plant_;
  double beta_;
  std::mt19937 random_;
  double pull_[kSize] = {}, curvature_[kSize] = {};
  double theta_[kSize] = {}, first_[kSize] = {}, second_[kSize] = {};
};

// The same plant with D in other units is the same run: neither alpha nor a rate needs a hand.
TEST(DivergenceBudget, HoldsAtEveryScale) {
  for (const double scale : {1e-6, 1e-3, 1.0, 1e3, 1e6}) {
    for (const double beta : {0.1, 2.0}) {
      for (const double budget : {0.01, 0.1}) {
        Plant plant;
        plant.scale = scale;
        const Outcome outcome = Simulation(plant, beta, 5).Run(Budget(budget * scale, beta), 2000);
        EXPECT_NEAR(outcome.MeanOfLast(200) / (budget * scale), 1, 0.02)
            << "scale " << scale << " beta " << beta << " budget " << budget;
        EXPECT_NEAR(outcome.state.settled, 1, 0.05);
      }
    }
  }
}

// Steps from a hundredth of the way to the budget to a third of it, on two optimisers, with losses
// that pull weakly and strongly.
TEST(DivergenceBudget, HoldsForFastAndSlowRuns) {
  const Plant plants[] = {
      {.lr = 0.002},
      {.lr = 0.01},
      {.lr = 0.03},
      {.lr = 0.005, .adam = false},
      {.lr = 0.01, .pull = 0.01},
      {.lr = 0.01, .pull = 30},
      {.lr = 0.01, .noise = 0.3},
  };
  for (const Plant& plant : plants) {
    for (const uint32_t seed : {1u, 2u, 3u}) {
      const Outcome outcome = Simulation(plant, 2, seed).Run(Budget(0.05), 1500);
      EXPECT_NEAR(outcome.MeanOfLast(400) / 0.05, 1, 0.02)
          << "lr " << plant.lr << " adam " << plant.adam << " pull " << plant.pull << " noise "
          << plant.noise << " seed " << seed;
    }
  }
}

// What the integral promises whatever the plant: while no bound is hit, the mean violation of N
// steps is the change of the logarithm over rate N.
TEST(DivergenceBudget, TheMeanViolationIsTheIntegralsChange) {
  const DivergenceBudget budget = Budget(1);
  BudgetState state;
  std::mt19937 random(3);
  std::uniform_real_distribution<double> share(0.2, 2);
  for (int i = 0; i < 40; ++i) {
    StepMetrics step = StepWith(i < 10 ? 0.05 * i : share(random), 0.6 - 0.001 * i);
    budget.Observe(&step, &state);
  }
  ASSERT_GT(state.near_step, 0);
  const double before = state.log_lambda;
  double sum = 0;
  for (int i = 0; i < 100; ++i) {
    const double divergence = share(random);
    StepMetrics step = StepWith(divergence, 0.5);
    budget.Observe(&step, &state);
    sum += divergence - 1;
  }
  const double rate = std::clamp(2.0 / static_cast<double>(state.near_step), 0.005, 0.1);
  EXPECT_NEAR(state.log_lambda - before, rate * sum, 1e-12);
}

// In the linear and quadratic beginning of a run half of what the loss has fallen by is the
// multiplier: alpha beta d, the budget in nats.
TEST(DivergenceBudget, BeginsWithWhatTheLossHasFallenBy) {
  const DivergenceBudget budget = Budget(8, 0.5);
  BudgetState state;
  for (int i = 0; i < 200; ++i) {
    const double way = 0.005 * i;  // 1: at the budget, where the loss has fallen by 0.2
    StepMetrics step = StepWith(8 * way * way, 0.7 - 0.2 * way);
    budget.Observe(&step, &state);
    if (state.near_step > 0) break;
    EXPECT_EQ(budget.Alpha(state), 0);
    EXPECT_EQ(step.at("constraint/alpha"), 0);
  }
  ASSERT_GT(state.near_step, 100);
  EXPECT_NEAR(std::exp(state.log_lambda), 0.1, 0.003);
  EXPECT_NEAR(budget.Alpha(state), std::exp(state.log_lambda + state.share - 1) / (0.5 * 8), 1e-12);
}

TEST(DivergenceBudget, ABudgetThatDoesNotBindCostsNothing) {
  const DivergenceBudget budget = Budget(10);
  BudgetState state;
  for (int i = 0; i < 500; ++i) {
    StepMetrics step = StepWith(1, 0.5);
    budget.Observe(&step, &state);
    EXPECT_EQ(budget.Alpha(state), 0);
    EXPECT_DOUBLE_EQ(step.at("constraint/violation"), -0.9);
  }
  const auto end = budget.Conclude(state);
  EXPECT_TRUE(end.held);
  EXPECT_THAT(end.text, HasSubstr("was not reached: the divergence stayed at 1, and"));
}

// It has bound, and binds no more.
TEST(DivergenceBudget, TheMultiplierFallsToZeroAndComesBack) {
  const DivergenceBudget budget = Budget(1);
  BudgetState state;
  const auto observe = [&](double divergence, int steps) {
    for (int i = 0; i < steps; ++i) {
      StepMetrics step = StepWith(divergence, 0.5);
      budget.Observe(&step, &state);
    }
  };
  observe(1.5, 30);
  EXPECT_GT(budget.Alpha(state), 0);
  observe(0.1, 300);
  EXPECT_EQ(budget.Alpha(state), 0);
  observe(2, 10);
  EXPECT_GT(budget.Alpha(state), 0);
}

TEST(DivergenceBudget, WhatCannotBeHeldIsSaidAndBounded) {
  const DivergenceBudget budget = Budget(1e-3);
  BudgetState state;
  for (int i = 0; i < 3000; ++i) {
    StepMetrics step = StepWith(5, 0.5);
    budget.Observe(&step, &state);
  }
  EXPECT_LE(budget.Alpha(state) * 2 * 1e-3, 500 * 1.000001);
  const auto end = budget.Conclude(state);
  EXPECT_FALSE(end.held);
  EXPECT_THAT(end.text, HasSubstr("constraint.budget 0.001: the divergence of the last 50 steps "
                                  "is 5 "));
  EXPECT_THAT(end.text, HasSubstr("a lower optimizer.lr"));
}

TEST(DivergenceBudget, TheStepSaysWhatItUsed) {
  const DivergenceBudget budget = Budget(1);
  BudgetState state;
  for (int i = 0; i < 20; ++i) {
    const double alpha = budget.Alpha(state);
    StepMetrics step = StepWith(1.1, 0.5);
    budget.Observe(&step, &state);
    EXPECT_EQ(step.at("constraint/alpha"), alpha);
    EXPECT_DOUBLE_EQ(step.at("constraint/divergence"), 1.1);
    EXPECT_NEAR(step.at("constraint/violation"), 0.1, 1e-12);
  }
}

TEST(DivergenceBudget, ALandingIsTold) {
  const DivergenceBudget budget = Budget(1);
  BudgetState state;
  for (int i = 0; i < 200; ++i) {
    StepMetrics step = StepWith(1.041, 0.5);
    budget.Observe(&step, &state);
  }
  const auto moved = budget.ConcludeLanded(state, {1.05, 1.002, 0.976}, true);
  EXPECT_TRUE(moved.held) << "the last steps do not matter to the weights as they are";
  EXPECT_EQ(moved.moved, 0.976);
  EXPECT_THAT(moved.text,
              HasSubstr("the divergence of the last 50 steps is 1.041 (+4.1 %), alpha "));
  EXPECT_THAT(moved.text, HasSubstr("; that of the held-out pairs 1.05 (+5.0 %), and now 1.002 "
                                    "(+0.2 %): the weights were moved 2.4 % of the way back to the "
                                    "reference"));
  EXPECT_THAT(budget.ConcludeLanded(state, {0.95, 1, 1.03}, false).text,
              HasSubstr("first training pairs 0.95 (-5.0 %), and now 1 (+0.0 %): the weights were "
                        "moved 3 % farther away from the reference"));
  const auto still = budget.ConcludeLanded(state, {0.9, 0.9, 1}, true);
  EXPECT_TRUE(still.held);
  EXPECT_THAT(still.text, ::testing::EndsWith("held-out pairs 0.9 (-10.0 %)"));
  const auto far = budget.ConcludeLanded(state, {3, 1, 0.5}, true);
  EXPECT_FALSE(far.held);
  EXPECT_THAT(far.text, HasSubstr("50 % of the way back to the reference; the run ended before"));
  EXPECT_FALSE(budget.ConcludeLanded(state, {1.5, 1.03, 0.9}, true).held);
}

TEST(DivergenceBudget, WithoutOneNothingChanges) {
  const DivergenceBudget none = Budget(std::nullopt);
  BudgetState state;
  StepMetrics step = StepWith(1, 0.5);
  none.Observe(&step, &state);
  EXPECT_EQ(step.size(), 3u);
  EXPECT_EQ(state, BudgetState());
  EXPECT_EQ(none.Alpha(state), 0.5);
  EXPECT_FALSE(none.active());
}

}  // namespace
}  // namespace fpo::train
