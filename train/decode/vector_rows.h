#pragma once

#include <cmath>
#include <cstdint>

#include "train/decode/lane_math.h"

namespace fpo::train::vector {

template <class S>
FPO_INLINE void Largest(const float* x, int64_t count, float* largest) {
  using F = typename S::F;
  float best = x[0];
  F most = F{} + best;
  bool nan = false;
  int64_t i = 0;
  F wrong = {};
  for (; i + S::kLanes <= count; i += S::kLanes) {
    F value;
    Load<S>(x + i, &value);
    most = value > most ? value : most;
    wrong += value - value;  // NaN for NaN and for an infinity
  }
  for (int lane = 0; lane < S::kLanes; ++lane) {
    if (most[lane] > best) best = most[lane];
  }
  nan = std::isnan(Sum<S>(wrong));
  for (; i < count; ++i) {
    if (x[i] > best) best = x[i];
    nan |= std::isnan(x[i] - x[i]);
  }
  *largest = nan ? std::nanf("") : best;
}

}  // namespace fpo::train::vector
