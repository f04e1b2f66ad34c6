#include "train/objective/budget_landing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace fpo::train {
namespace {

// A policy at a distance from its reference, whose divergence is a power of it.
struct Line {
  double distance = 1;
  double power = 2;
  double unit = 1;  // divergence at distance 1
  std::vector<double> factors = {};

  double Divergence() const { return unit * std::pow(distance, power); }
  int measurements = 0;
  LandingActions Actions() {
    return {[this]() -> absl::StatusOr<double> {
              ++measurements;
              return Divergence();
            },
            [this](double factor) {
              factors.push_back(factor);
              distance *= factor;
              return absl::OkStatus();
            }};
  }
};

TEST(BudgetLanding, ASquareIsThereInOneMove) {
  for (const double unit : {1.03, 1.5, 12.0}) {
    Line line{.unit = unit};
    const auto landing = LandOnBudget(1, true, line.Actions());
    ASSERT_TRUE(landing.ok());
    EXPECT_NEAR(line.Divergence(), 1, 1e-12) << unit;
    EXPECT_EQ(line.measurements, 2);
    EXPECT_DOUBLE_EQ(landing->before, unit);
    EXPECT_DOUBLE_EQ(landing->after, line.Divergence());
    EXPECT_DOUBLE_EQ(landing->factor, line.distance);
  }
}

TEST(BudgetLanding, AnotherPowerIsFoundOnTheWay) {
  for (const double power : {1.2, 1.6, 2.6, 3.5}) {
    for (const double unit : {1.05, 2.0, 8.0}) {
      Line line{.power = power, .unit = unit};
      ASSERT_TRUE(LandOnBudget(1, true, line.Actions()).ok());
      EXPECT_NEAR(line.Divergence(), 1, 0.005) << power << ' ' << unit;
      EXPECT_LE(line.measurements, 5);
    }
  }
}

TEST(BudgetLanding, WhatIsOnTheBudgetStays) {
  for (const double unit : {0.996, 1.0, 1.004}) {
    Line line{.unit = unit};
    const auto landing = LandOnBudget(1, true, line.Actions());
    EXPECT_EQ(landing->factor, 1);
    EXPECT_TRUE(line.factors.empty());
    EXPECT_EQ(line.measurements, 1);
  }
}

// The budget is a bound: only where the multiplier pulls is more divergence wanted, and never much.
TEST(BudgetLanding, BelowTheBudgetOnlyABindingOneMoves) {
  Line free{.unit = 0.9};
  EXPECT_EQ(LandOnBudget(1, false, free.Actions())->factor, 1);
  EXPECT_EQ(free.measurements, 1);
  Line bound{.unit = 0.95};
  EXPECT_GT(LandOnBudget(1, true, bound.Actions())->factor, 1);
  EXPECT_NEAR(bound.Divergence(), 1, 0.005);
  Line far{.unit = 0.3};
  const auto landing = LandOnBudget(1, true, far.Actions());
  EXPECT_NEAR(landing->factor, 1.1, 1e-12);
  EXPECT_LT(landing->after, 0.4);
}

// A move back that overshoots is corrected, whether or not the budget binds.
TEST(BudgetLanding, ComesBackFromAnOvershoot) {
  Line line{.power = 4, .unit = 9};
  ASSERT_TRUE(LandOnBudget(1, false, line.Actions()).ok());
  EXPECT_NEAR(line.Divergence(), 1, 0.005);
  ASSERT_GE(line.factors.size(), 2u);
  EXPECT_LT(line.factors[0], 1);
  EXPECT_GT(line.factors[1], 1);
}

TEST(BudgetLanding, ADivergenceThatDoesNotMoveEnds) {
  int measurements = 0;
  double distance = 1;
  const auto landing = LandOnBudget(1, true,
                                    {[&]() -> absl::StatusOr<double> {
                                       ++measurements;
                                       return 2;
                                     },
                                     [&](double factor) {
                                       distance *= factor;
                                       return absl::OkStatus();
                                     }});
  ASSERT_TRUE(landing.ok());
  EXPECT_LE(measurements, 8);
  EXPECT_GT(distance, 0);
  EXPECT_EQ(landing->factor, distance);
}

TEST(BudgetLanding, WhatIsNotFiniteIsLeft) {
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Line line{.unit = value};
    EXPECT_TRUE(LandOnBudget(1, true, line.Actions()).ok());
    EXPECT_TRUE(line.factors.empty());
  }
}

TEST(BudgetLanding, ErrorsEndIt) {
  Line line{.unit = 2};
  LandingActions actions = line.Actions();
  actions.scale = [](double) { return absl::InternalError("no weights"); };
  EXPECT_EQ(LandOnBudget(1, true, actions).status().message(), "no weights");
  actions.measure = []() -> absl::StatusOr<double> { return absl::InternalError("no pairs"); };
  EXPECT_EQ(LandOnBudget(1, true, actions).status().message(), "no pairs");
}

}  // namespace
}  // namespace fpo::train
