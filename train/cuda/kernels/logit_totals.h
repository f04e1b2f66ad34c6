#pragma once

#include <cmath>

#include "train/cuda/kernels/numbers.h"

namespace fpo::train::cuda {

// sum = sum of e^(z - max), weighted = sum of e^(z - max) (z - max).
template <class Number>
struct LogitTotals {
  Number max, sum, weighted;

  FPO_BOTH static LogitTotals None() { return {static_cast<Number>(-INFINITY), 0, 0}; }
  // The same sums relative to a larger maximum.
  FPO_BOTH LogitTotals At(Number larger) const {
    if (sum == 0) return {larger, 0, 0};
    const Number below = max - larger, factor = exp(below);
    return {larger, sum * factor, (weighted + sum * below) * factor};
  }
  FPO_BOTH LogitTotals operator+(const LogitTotals& other) const {
    const Number larger = max > other.max ? max : other.max;
    const LogitTotals a = At(larger), b = other.At(larger);
    return {larger, a.sum + b.sum, a.weighted + b.weighted};
  }
};

}  // namespace fpo::train::cuda
