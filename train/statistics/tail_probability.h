#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace fpo::train {

// The regularised incomplete beta function I_x(a, b); a and b above 0, x in [0, 1]. By its
// continued fraction (Numerical Recipes, 6.4); relative error below 1e-11, of a and b around a
// million 1e-8.
double IncompleteBeta(double a, double b, double x);

// Two-sided p of the sign test: how likely a fair coin is to fall as unevenly as this. 1 without
// counts.
double SignTest(int64_t positive, int64_t negative);

// Two-sided p of Student's t with these degrees of freedom, above 0.
double StudentTest(double t, double degrees);

// Benjamini-Hochberg: for each p the false discovery rate of all that are not larger, in the order
// of `p`.
std::vector<double> FalseDiscoveryRates(absl::Span<const double> p);

}  // namespace fpo::train
