#include "train/statistics/feature_tests.h"

#include <algorithm>
#include <cmath>

#include "train/statistics/tail_probability.h"

namespace fpo::train {

FeatureTests::FeatureTests(int64_t columns) : sums_(static_cast<size_t>(columns)) {}

void FeatureTests::Add(absl::Span<const std::pair<uint32_t, float>> differences, double length) {
  ++pairs_;
  length_ += length;
  length_square_ += length * length;
  for (const auto& [column, value] : differences) {
    Sums& sums = sums_[column];
    ++(value > 0 ? sums.more : sums.less);
    sums.sum += value;
    sums.square += double{value} * value;
    sums.with_length += value * length;
  }
}

FeatureTest FeatureTests::ResultOf(int64_t column) const {
  const Sums& sums = sums_[static_cast<size_t>(column)];
  const auto n = static_cast<double>(pairs_);
  FeatureTest test;
  test.column = column;
  test.more = sums.more;
  test.less = sums.less;
  test.mean = sums.sum / n;
  test.share =
      (static_cast<double>(sums.more) + (n - static_cast<double>(sums.more + sums.less)) / 2) / n;
  test.p = SignTest(sums.more, sums.less);
  const double centred = std::max(0.0, sums.square - n * test.mean * test.mean);  // of d
  if (pairs_ < 3 || centred <= 1e-12 * sums.square) return test;
  test.effect = test.mean / std::sqrt(centred / (n - 1));
  const double length_mean = length_ / n;
  const double length_centred = std::max(0.0, length_square_ - n * length_mean * length_mean);
  const bool has_lengths = length_centred > 1e-12 * length_square_;
  const double together = sums.with_length - n * test.mean * length_mean;
  const double slope = has_lengths ? together / length_centred : 0;
  const double intercept = test.mean - slope * length_mean;
  const double degrees = n - (has_lengths ? 2 : 1);
  const double residual = (centred - slope * together) / degrees;  // variance
  if (residual <= 1e-12 * sums.square / n) return test;            // length explains it wholly
  test.effect_at_equal_length = intercept / std::sqrt(residual);
  const double spread = 1 / n + (has_lengths ? length_mean * length_mean / length_centred : 0);
  test.p_at_equal_length = StudentTest(intercept / std::sqrt(residual * spread), degrees);
  return test;
}

std::vector<FeatureTest> FeatureTests::Results(int64_t pairs_min) const {
  std::vector<FeatureTest> tests;
  std::vector<double> p, p_at_equal_length;
  for (int64_t column = 0; column < static_cast<int64_t>(sums_.size()); ++column) {
    const Sums& sums = sums_[static_cast<size_t>(column)];
    if (sums.more + sums.less < pairs_min) continue;
    tests.push_back(ResultOf(column));
    p.push_back(tests.back().p);
    p_at_equal_length.push_back(tests.back().p_at_equal_length);
  }
  const std::vector<double> q = FalseDiscoveryRates(p);
  const std::vector<double> q_at_equal_length = FalseDiscoveryRates(p_at_equal_length);
  for (size_t i = 0; i < tests.size(); ++i) {
    tests[i].q = q[i];
    tests[i].q_at_equal_length = q_at_equal_length[i];
  }
  return tests;
}

}  // namespace fpo::train
