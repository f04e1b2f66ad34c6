#include "train/statistics/tail_probability.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fpo::train {
namespace {

constexpr int kTermsMax = 100000;  // of the order of sqrt(max(a, b)) are needed

// The continued fraction of I_x(a, b) by Lentz' method; converges for x below (a + 1) / (a + b +
// 2).
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = std::numeric_limits<double>::min() / 1e-12;
  const auto away_from_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double fraction = d;
  for (int m = 1; m <= kTermsMax; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    fraction *= d * c;
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  return fraction;
}

}  // namespace

double IncompleteBeta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double log_front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  const double front = std::exp(log_front);
  if (x < (a + 1) / (a + b + 2)) return front * BetaFraction(a, b, x) / a;
  return 1 - front * BetaFraction(b, a, 1 - x) / b;
}

double SignTest(int64_t positive, int64_t negative) {
  const auto more = static_cast<double>(std::max(positive, negative));
  const auto less = static_cast<double>(std::min(positive, negative));
  if (more == less) return 1;
  // P(X >= more) of Binomial(more + less, 1/2).
  return std::min(1.0, 2 * IncompleteBeta(more, less + 1, 0.5));
}

double StudentTest(double t, double degrees) {
  if (std::isinf(t)) return 0;
  return IncompleteBeta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

std::vector<double> FalseDiscoveryRates(absl::Span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  std::vector<double> rates(p.size());
  double least = 1;
  for (size_t i = 0; i < order.size(); ++i) {
    const auto rank = static_cast<double>(order.size() - i);
    least = std::min(least, p[order[i]] * static_cast<double>(p.size()) / rank);
    rates[order[i]] = least;
  }
  return rates;
}

}  // namespace fpo::train
