#pragma once

#include <array>
#include <vector>

#include "absl/types/span.h"

namespace fpo {

// One observation of a logistic regression whose outcome is a probability.
struct LogisticRow {
  std::array<double, 3> x = {};
  double target = 0;  // in [0, 1]
  double weight = 1;  // at least 0
};

double Sigmoid(double value);
double LinearTerm(const std::array<double, 3>& weights, const std::array<double, 3>& x);

// Mean over the rows of weight * cross-entropy(target, Sigmoid(w x)), in nats. At least one row.
double MeanLogLoss(absl::Span<const LogisticRow> rows, const std::array<double, 3>& weights);

// The weights w that minimise |w|_1 + c * (sum of weight * cross-entropy), without an intercept:
// what scikit-learn's LogisticRegression(penalty="l1", solver="liblinear", C=c,
// fit_intercept=False) approaches. Found by Newton steps on the smooth part, each with its penalty
// solved exactly and shortened until the objective falls; ends when a step changes no weight by
// more than 1e-12.
std::array<double, 3> FitSparseLogistic(absl::Span<const LogisticRow> rows, double c,
                                        std::array<double, 3> start = {});

// The same with c chosen among `choices` by cross-validation in `folds` parts: row i is in part
// group[i] mod folds, and the c with the smallest sum of the parts' mean losses wins, the first of
// equals. group[i] at least 0; `group` has a value a row.
struct ChosenLogistic {
  std::array<double, 3> weights = {};
  double c = 0;
};
ChosenLogistic FitSparseLogisticCV(absl::Span<const LogisticRow> rows, absl::Span<const int> group,
                                   absl::Span<const double> choices, int folds);

}  // namespace fpo
