#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "train/statistics/sparse_rows.h"

namespace fpo::train {

// The pairs to check, as differences of what is known of their sides, chosen minus rejected.
struct LabelledPairs {
  int64_t count = 0;
  // Features come first; the rest, few and never sparse, is not shrunk together with them.
  int64_t columns = 0, features = 0;
  // Pairs of one group are held out together: of a copy one would know the label. [count]
  std::vector<int64_t> group;
  absl::FunctionRef<absl::StatusOr<SparseRow>(int64_t)> row;  // of pair i
};

struct LabelCheckOptions {
  int folds = 5;
  int64_t fitted_max = 10000;  // pairs; of more a random sample is fitted, and all are checked
  double flipped = 0.05;       // of the fitted pairs, for the check of the check
  uint64_t seed = 42;
};

// How likely each label is right, by a model of the other pairs' labels.
struct LabelCheck {
  std::vector<double> right;  // probability, [count]
  int64_t fitted = 0;         // pairs
  double c = 0;               // of the fit (ridge_logistic.h), by cross-validation
  double agreement = 0;       // share of the pairs with `right` above 0.5; 0.5 is chance
  double log_loss = 0;        // mean of -log(right), nats; log 2 is chance
  // Labels were swapped on purpose, the models fitted again, and pairs sorted by `right`: the share
  // of the swapped ones in the first tenth; 0.1 is chance.
  int64_t flipped = 0;
  double found_in_first_tenth = 0;
};

// Cross-validated: the probability of a pair's label comes from a logistic regression on the other
// folds, as in Confident Learning (Northcutt, Jiang and Chuang, 2021). The same seed gives the same
// numbers. InvalidArgument with fewer than 50 pairs or fewer groups than folds; errors of `row`.
absl::StatusOr<LabelCheck> CheckLabels(const LabelledPairs& pairs,
                                       const LabelCheckOptions& options);

}  // namespace fpo::train
