#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "train/statistics/sparse_rows.h"

namespace fpo::train {

// A row of a fit: its place in the matrix, and whether its sides are the other way round.
struct FittedRow {
  int64_t row = 0;
  bool negated = false;
};

// The weights w [columns] that minimise |w|^2 / 2 + c * sum over the rows of log(1 + exp(-s w x)),
// s -1 for negated rows and else 1: the Bradley-Terry model of pairs whose row is the difference of
// their sides. scikit-learn's LogisticRegression(C=c, fit_intercept=False) on rows x with label 1
// and negated ones with label 0 minimises the same. Newton's method with conjugate gradients (Lin,
// Weng and Keerthi, 2008), from `start` [columns] until the gradient is 1e-8 of what it is at 0.
std::vector<double> FitRidgeLogistic(const SparseRows& matrix, absl::Span<const FittedRow> rows,
                                     double c, std::vector<double> start);

}  // namespace fpo::train
