#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/types/span.h"

namespace fpo {

// An interval and how it was made; the bounds have the unit of the statistic.
struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  int64_t rounds = 1000;  // at least 1
  double level = 0.95;    // in (0, 1)
  uint64_t seed = 42;     // the same seed gives the same interval on every machine
};

// Percentile bootstrap of a statistic of `count` items (at least 1), which are drawn again with
// replacement: `statistic` gets how often each item was drawn, and is called once a round. Values
// that are not finite (a fit without an answer) are left out; with none left both bounds are NaN.
Interval Bootstrap(int64_t count, const std::function<double(absl::Span<const int32_t>)>& statistic,
                   const BootstrapOptions& options);

// The same of several statistics that are computed together; `statistic` returns as many numbers
// each time, at least one, and the result has an interval for each.
std::vector<Interval> BootstrapEach(
    int64_t count, const std::function<std::vector<double>(absl::Span<const int32_t>)>& statistic,
    const BootstrapOptions& options);

// Of the mean of `values`, at least one.
Interval BootstrapMean(absl::Span<const double> values, const BootstrapOptions& options);

// Of mean(a) - mean(b), where a[i] and b[i] belong to the same item (the same question, the same
// pair) and are drawn together. Both have the same size, at least 1.
Interval PairedBootstrap(absl::Span<const double> a, absl::Span<const double> b,
                         const BootstrapOptions& options);

// The value below which `share` of the values lie, between two of them by interpolation. `values`
// is not empty and gets sorted.
double QuantileOf(std::vector<double>* values, double share);

}  // namespace fpo
