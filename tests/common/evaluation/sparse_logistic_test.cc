#include "common/evaluation/sparse_logistic.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fpo {
namespace {

using Weights = std::array<double, 3>;

std::vector<LogisticRow> Rows(int count) {
  std::vector<LogisticRow> rows;
  for (int i = 0; i < count; ++i) {
    const Weights x = {std::sin(1.1 * i), std::cos(0.3 * i), 1};
    const double target = Sigmoid(1.5 * x[0] - 0.7 * x[1] + 0.2 + std::sin(3.7 * i));
    rows.push_back({x, target, 0.5 + 0.5 * (i % 3)});
  }
  return rows;
}

double Objective(const std::vector<LogisticRow>& rows, double c, const Weights& weights) {
  return c * MeanLogLoss(rows, weights) * static_cast<double>(rows.size()) + std::abs(weights[0]) +
         std::abs(weights[1]) + std::abs(weights[2]);
}

// What makes the minimum of a penalised function: its slope is -sign(w) where w is not 0, and at
// most 1 where it is.
TEST(SparseLogisticTest, TheSlopeAtTheMinimumIsThatOfThePenalty) {
  const std::vector<LogisticRow> rows = Rows(300);
  for (const double c : {0.001, 0.02, 0.3, 10.0, 1e4}) {
    const Weights weights = FitSparseLogistic(rows, c);
    Weights slope = {};
    for (const LogisticRow& row : rows) {
      const double p = Sigmoid(LinearTerm(weights, row.x));
      for (size_t i = 0; i < 3; ++i) slope[i] += c * row.weight * (p - row.target) * row.x[i];
    }
    for (size_t i = 0; i < 3; ++i) {
      if (weights[i] == 0) {
        EXPECT_LE(std::abs(slope[i]), 1 + 1e-9) << c;
      } else {
        EXPECT_NEAR(slope[i], -std::copysign(1.0, weights[i]), 1e-7) << c;
      }
    }
  }
  EXPECT_EQ(FitSparseLogistic(rows, 1e-6), Weights{});  // the penalty outweighs everything
}

TEST(SparseLogisticTest, NoNeighbourIsBetter) {
  const std::vector<LogisticRow> rows = Rows(100);
  const Weights weights = FitSparseLogistic(rows, 0.5);
  const double best = Objective(rows, 0.5, weights);
  for (size_t i = 0; i < 3; ++i) {
    for (const double change : {-1e-3, 1e-3}) {
      Weights other = weights;
      other[i] += change;
      EXPECT_GT(Objective(rows, 0.5, other), best);
    }
  }
}

TEST(SparseLogisticTest, TheStartDoesNotDecide) {
  const std::vector<LogisticRow> rows = Rows(100);
  const Weights a = FitSparseLogistic(rows, 2), b = FitSparseLogistic(rows, 2, {-5, 9, 3});
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(a[i], b[i], 1e-9);
}

TEST(SparseLogisticTest, SeparableRowsEnd) {
  std::vector<LogisticRow> rows;
  for (int i = 0; i < 20; ++i) rows.push_back({{i < 10 ? -1.0 : 1.0, 0, 0}, i < 10 ? 0.0 : 1.0, 1});
  const Weights weights = FitSparseLogistic(rows, 100);
  EXPECT_TRUE(std::isfinite(weights[0]));
  EXPECT_GT(weights[0], 5);
}

TEST(SparseLogisticTest, CrossValidationPrefersWhatPredicts) {
  const std::vector<LogisticRow> rows = Rows(100);
  std::vector<int> group(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) group[i] = static_cast<int>(i);
  const std::vector<double> choices = {1e-6, 1.0, 1e-5};
  const ChosenLogistic chosen = FitSparseLogisticCV(rows, group, choices, 5);
  EXPECT_EQ(chosen.c, 1.0);
  EXPECT_EQ(chosen.weights, FitSparseLogistic(rows, 1.0));
}

}  // namespace
}  // namespace fpo
