#include "train/statistics/ridge_logistic.h"

#include <algorithm>
#include <cmath>

#include "common/evaluation/sparse_logistic.h"

namespace fpo::train {
namespace {

constexpr int kNewtonStepsMax = 100;
constexpr int kGradientStepsMax = 250;
constexpr double kGradientLeft = 1e-8;

using Vector = std::vector<double>;

double Product(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void AddScaled(double factor, const Vector& from, Vector* to) {
  for (size_t i = 0; i < from.size(); ++i) (*to)[i] += factor * from[i];
}

double SoftPlusOf(double value) {
  return value > 0 ? value + std::log1p(std::exp(-value)) : std::log1p(std::exp(value));
}

// The objective and its derivatives around one point.
struct RidgeProblem {
  const SparseRows& matrix;
  absl::Span<const FittedRow> rows;
  double c;
  Vector margins = {};  // s w x of each row at the point

  double Sign(size_t i) const { return rows[i].negated ? -1 : 1; }

  double MoveTo(const Vector& weights) {
    margins.resize(rows.size());
    double loss = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      margins[i] = Sign(i) * Dot(matrix.row(rows[i].row), weights);
      loss += SoftPlusOf(-margins[i]);
    }
    return c * loss + Product(weights, weights) / 2;
  }
  Vector Gradient(const Vector& weights) const {
    Vector gradient = weights;
    for (size_t i = 0; i < rows.size(); ++i) {
      const double slope = -c * Sign(i) * Sigmoid(-margins[i]);
      for (const auto& [column, value] : matrix.row(rows[i].row)) gradient[column] += slope * value;
    }
    return gradient;
  }
  Vector HessianTimes(const Vector& direction) const {
    Vector product = direction;
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto row = matrix.row(rows[i].row);
      const double p = Sigmoid(margins[i]);
      const double curve = c * p * (1 - p) * Dot(row, direction);
      for (const auto& [column, value] : row) product[column] += curve * value;
    }
    return product;
  }
};

// An approximate solution of H step = -gradient.
Vector NewtonStep(const RidgeProblem& problem, const Vector& gradient) {
  Vector step(gradient.size(), 0), residual = gradient;
  for (double& value : residual) value = -value;
  Vector direction = residual;
  double square = Product(residual, residual);
  const double norm = std::sqrt(square);
  const double goal = std::min(0.1, std::sqrt(norm)) * norm;
  for (int i = 0; i < kGradientStepsMax && std::sqrt(square) > goal; ++i) {
    const Vector curved = problem.HessianTimes(direction);
    const double length = square / Product(direction, curved);
    AddScaled(length, direction, &step);
    AddScaled(-length, curved, &residual);
    const double next = Product(residual, residual);
    for (size_t k = 0; k < direction.size(); ++k) {
      direction[k] = residual[k] + next / square * direction[k];
    }
    square = next;
  }
  return step;
}

}  // namespace

std::vector<double> FitRidgeLogistic(const SparseRows& matrix, absl::Span<const FittedRow> rows,
                                     double c, std::vector<double> start) {
  RidgeProblem problem{matrix, rows, c};
  Vector weights(start.size(), 0);
  problem.MoveTo(weights);
  const Vector first = problem.Gradient(weights);
  const double goal = kGradientLeft * std::sqrt(Product(first, first));
  weights = std::move(start);
  double objective = problem.MoveTo(weights);
  for (int i = 0; i < kNewtonStepsMax; ++i) {
    const Vector gradient = problem.Gradient(weights);
    if (std::sqrt(Product(gradient, gradient)) <= goal) break;
    const Vector step = NewtonStep(problem, gradient);
    const double slope = Product(gradient, step);
    bool fell = false;
    for (double length = 1; length > 1e-9 && !fell; length /= 2) {
      Vector next = weights;
      AddScaled(length, step, &next);
      const double value = problem.MoveTo(next);
      fell = value <= objective + 1e-4 * length * slope;
      if (!fell) continue;
      weights = std::move(next);
      objective = value;
    }
    if (!fell) {  // rounding: there is no lower point along the step
      problem.MoveTo(weights);
      break;
    }
  }
  return weights;
}

}  // namespace fpo::train
