#include "common/evaluation/sparse_logistic.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fpo {
namespace {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

constexpr int kSize = 3;
constexpr int kStepsMax = 200;
constexpr int kSweepsMax = 1000;
constexpr double kStepMin = 1e-12;

// log(1 + exp(value)) without overflow.
double SoftPlus(double value) {
  return value > 0 ? value + std::log1p(std::exp(-value)) : std::log1p(std::exp(value));
}

// Cross-entropy of a target and Sigmoid(value).
double RowLoss(double target, double value) {
  return target * SoftPlus(-value) + (1 - target) * SoftPlus(value);
}

double Objective(absl::Span<const LogisticRow> rows, double c, const Vector& weights) {
  double sum = 0;
  for (const LogisticRow& row : rows) {
    sum += row.weight * RowLoss(row.target, LinearTerm(weights, row.x));
  }
  return c * sum + std::abs(weights[0]) + std::abs(weights[1]) + std::abs(weights[2]);
}

// The smooth part around `weights`.
struct Quadratic {
  Vector gradient = {};
  Matrix hessian = {};
};

Quadratic Around(absl::Span<const LogisticRow> rows, double c, const Vector& weights) {
  Quadratic result;
  for (const LogisticRow& row : rows) {
    const double p = Sigmoid(LinearTerm(weights, row.x));
    const double slope = c * row.weight * (p - row.target);
    const double curve = c * row.weight * p * (1 - p);
    for (int i = 0; i < kSize; ++i) {
      result.gradient[i] += slope * row.x[i];
      for (int j = 0; j < kSize; ++j) result.hessian[i][j] += curve * row.x[i] * row.x[j];
    }
  }
  // Columns that no row has, and separable rows, leave no curvature: a little keeps steps finite.
  for (int i = 0; i < kSize; ++i) result.hessian[i][i] += 1e-12;
  return result;
}

// The step that minimises the quadratic and |weights + step|_1, one coordinate at a time.
Vector PenalisedStep(const Quadratic& smooth, const Vector& weights) {
  Vector step = {};
  for (int sweep = 0; sweep < kSweepsMax; ++sweep) {
    double change = 0;
    for (int i = 0; i < kSize; ++i) {
      double slope = smooth.gradient[i];
      for (int j = 0; j < kSize; ++j) slope += smooth.hessian[i][j] * step[j];
      const double curve = smooth.hessian[i][i];
      const double plain = curve * (weights[i] + step[i]) - slope;
      const double shrunk = std::copysign(std::max(std::abs(plain) - 1, 0.0), plain) / curve;
      change = std::max(change, std::abs(shrunk - weights[i] - step[i]));
      step[i] = shrunk - weights[i];
    }
    if (change < kStepMin / 10) break;
  }
  return step;
}

// weights + step * length, with the length halved until the objective falls.
Vector Shortened(absl::Span<const LogisticRow> rows, double c, const Vector& weights,
                 const Vector& step) {
  const double before = Objective(rows, c, weights);
  double length = 1;
  for (int halving = 0; halving < 50; ++halving, length /= 2) {
    Vector next = weights;
    for (int i = 0; i < kSize; ++i) next[i] += length * step[i];
    // Near the minimum steps change the objective by less than its rounding.
    if (Objective(rows, c, next) <= before + 1e-13 * std::abs(before)) return next;
  }
  return weights;
}

}  // namespace

double Sigmoid(double value) { return 1 / (1 + std::exp(-value)); }

double LinearTerm(const Vector& weights, const Vector& x) {
  return weights[0] * x[0] + weights[1] * x[1] + weights[2] * x[2];
}

double MeanLogLoss(absl::Span<const LogisticRow> rows, const Vector& weights) {
  double sum = 0;
  for (const LogisticRow& row : rows) {
    sum += row.weight * RowLoss(row.target, LinearTerm(weights, row.x));
  }
  return sum / static_cast<double>(rows.size());
}

Vector FitSparseLogistic(absl::Span<const LogisticRow> rows, double c, Vector start) {
  Vector weights = start;
  for (int i = 0; i < kStepsMax; ++i) {
    const Vector step = PenalisedStep(Around(rows, c, weights), weights);
    const Vector next = Shortened(rows, c, weights, step);
    double change = 0;
    for (int j = 0; j < kSize; ++j) change = std::max(change, std::abs(next[j] - weights[j]));
    weights = next;
    if (change < kStepMin) break;
  }
  return weights;
}

ChosenLogistic FitSparseLogisticCV(absl::Span<const LogisticRow> rows, absl::Span<const int> group,
                                   absl::Span<const double> choices, int folds) {
  std::vector<double> losses(choices.size(), 0);
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<LogisticRow> known, held;
    for (size_t i = 0; i < rows.size(); ++i) {
      (group[i] % folds == fold ? held : known).push_back(rows[i]);
    }
    if (held.empty()) continue;
    Vector weights = {};
    for (size_t i = 0; i < choices.size(); ++i) {
      weights = FitSparseLogistic(known, choices[i], weights);
      losses[i] += MeanLogLoss(held, weights);
    }
  }
  const auto best = std::min_element(losses.begin(), losses.end()) - losses.begin();
  const double c = choices[static_cast<size_t>(best)];
  return {FitSparseLogistic(rows, c), c};
}

}  // namespace fpo
