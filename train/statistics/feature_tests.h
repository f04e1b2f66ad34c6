#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "train/statistics/sparse_rows.h"

namespace fpo::train {

// How one column differs between the sides of the pairs: d is chosen minus rejected.
struct FeatureTest {
  int64_t column = 0;
  int64_t more = 0, less = 0;  // pairs with d above and below 0
  double share = 0;            // of pairs with d above 0, and half of those with 0: 0.5 is chance
  double mean = 0;             // of d
  double effect = 0;           // mean over the standard deviation of d
  double p = 1, q = 1;         // sign test, and its false discovery rate among all tests
  // The same for sides of equal length: the intercept a of d = a + b * length by least squares,
  // over the standard deviation of the residuals, with Student's test of a = 0.
  double effect_at_equal_length = 0;
  double p_at_equal_length = 1, q_at_equal_length = 1;
};

// Sums over pairs: memory does not depend on their number. Not thread-safe.
class FeatureTests {
 public:
  explicit FeatureTests(int64_t columns);
  // d of the next pair, and the logarithm of the ratio of its sides' lengths.
  void Add(absl::Span<const std::pair<uint32_t, float>> differences, double length);
  // Of each column that differs in at least `pairs_min` pairs, in the order of the columns. Columns
  // left out are no tests: the rates do not count them.
  std::vector<FeatureTest> Results(int64_t pairs_min) const;

 private:
  struct Sums {
    int64_t more = 0, less = 0;
    double sum = 0, square = 0, with_length = 0;
  };
  FeatureTest ResultOf(int64_t column) const;

  std::vector<Sums> sums_;  // [columns]
  int64_t pairs_ = 0;
  double length_ = 0, length_square_ = 0;  // sums
};

}  // namespace fpo::train
