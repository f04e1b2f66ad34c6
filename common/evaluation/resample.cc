#include "common/evaluation/resample.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fpo {
namespace {

// SplitMix64: a few additions and products, the same numbers on every machine and library.
class DrawnItems {
 public:
  explicit DrawnItems(uint64_t seed) : state_(seed) {}

  // Below `count`. The bias of the product is count / 2^64.
  size_t Next(uint64_t count) {
    return static_cast<size_t>((static_cast<unsigned __int128>(Bits()) * count) >> 64);
  }

 private:
  uint64_t Bits() {
    uint64_t value = state_ += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
  }

  uint64_t state_;
};

double WeightedMean(absl::Span<const double> values, absl::Span<const int32_t> drawn) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += drawn[i] * values[i];
  return sum / static_cast<double>(values.size());
}

}  // namespace

double QuantileOf(std::vector<double>* values, double share) {
  std::sort(values->begin(), values->end());
  const double place = share * static_cast<double>(values->size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values->size() - 1);
  const double part = place - static_cast<double>(below);
  return (*values)[below] + part * ((*values)[above] - (*values)[below]);
}

std::vector<Interval> BootstrapEach(
    int64_t count, const std::function<std::vector<double>(absl::Span<const int32_t>)>& statistic,
    const BootstrapOptions& options) {
  DrawnItems items(options.seed);
  std::vector<int32_t> drawn(static_cast<size_t>(count));
  std::vector<std::vector<double>> results;
  for (int64_t round = 0; round < options.rounds; ++round) {
    std::fill(drawn.begin(), drawn.end(), 0);
    for (int64_t i = 0; i < count; ++i) ++drawn[items.Next(drawn.size())];
    const std::vector<double> values = statistic(drawn);
    results.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i])) results[i].push_back(values[i]);
    }
  }
  const double tail = (1 - options.level) / 2;
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  std::vector<Interval> intervals;
  for (std::vector<double>& values : results) {
    intervals.push_back(values.empty()
                            ? Interval{kNothing, kNothing}
                            : Interval{QuantileOf(&values, tail), QuantileOf(&values, 1 - tail)});
  }
  return intervals;
}

Interval Bootstrap(int64_t count, const std::function<double(absl::Span<const int32_t>)>& statistic,
                   const BootstrapOptions& options) {
  const auto one = [&](absl::Span<const int32_t> drawn) {
    return std::vector<double>{statistic(drawn)};
  };
  return BootstrapEach(count, one, options)[0];
}

Interval BootstrapMean(absl::Span<const double> values, const BootstrapOptions& options) {
  return Bootstrap(
      static_cast<int64_t>(values.size()),
      [&](absl::Span<const int32_t> drawn) { return WeightedMean(values, drawn); }, options);
}

Interval PairedBootstrap(absl::Span<const double> a, absl::Span<const double> b,
                         const BootstrapOptions& options) {
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  return BootstrapMean(differences, options);
}

}  // namespace fpo
