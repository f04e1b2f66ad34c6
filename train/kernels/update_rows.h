#pragma once

#include <cstdint>

#include "train/kernels/kernel_set.h"
#include "train/kernels/pointwise_rows.h"
#include "train/kernels/vector_math.h"

// An optimiser's update of a run of elements in one pass.
namespace fpo::train::FPO_KERNELS {

using WideVec [[gnu::vector_size(2 * FPO_VECTOR_BYTES)]] = double;

inline Vec SquareRoot(Vec x) {
  Vec root;
  for (int64_t i = 0; i < kLanes; ++i) root[i] = __builtin_sqrtf(x[i]);
  return root;
}

inline double SumOfSquares(const float* values, int64_t count) {
  WideVec squares = {};
  ForEachVec(count, [&](int64_t i, int64_t lanes) {
    const WideVec x = __builtin_convertvector(LoadUpTo(values + i, lanes), WideVec);
    squares += x * x;
  });
  double sum = 0;
  for (int64_t i = 0; i < kLanes; ++i) sum += squares[i];
  return sum;
}

inline void AdamUpdate(const UpdateSpan& span, const AdamStep& step) {
  ForEachVec(span.count, [&](int64_t i, int64_t lanes) {
    Vec w = LoadUpTo(span.weight + i, lanes);
    const Vec g = LoadUpTo(span.gradient + i, lanes) * step.gradient_scale + w * step.added_decay;
    const Vec m0 = LoadUpTo(span.first_moment + i, lanes);
    const Vec m = m0 + (g - m0) * step.rest1;
    const Vec v = LoadUpTo(span.second_moment + i, lanes) * step.beta2 + g * g * step.rest2;
    w = w - w * step.lost_weight - m / (SquareRoot(v) * step.root_scale + step.eps) * step.size;
    StoreUpTo(span.first_moment + i, m, lanes);
    StoreUpTo(span.second_moment + i, v, lanes);
    StoreUpTo(span.weight + i, w, lanes);
  });
}

inline void RmsPropUpdate(const UpdateSpan& span, const RmsPropStep& step) {
  ForEachVec(span.count, [&](int64_t i, int64_t lanes) {
    const Vec w = LoadUpTo(span.weight + i, lanes);
    const Vec g = LoadUpTo(span.gradient + i, lanes) * step.gradient_scale + w * step.added_decay;
    const Vec v = LoadUpTo(span.second_moment + i, lanes) * step.alpha + g * g * step.rest;
    StoreUpTo(span.second_moment + i, v, lanes);
    StoreUpTo(span.weight + i, w - g / (SquareRoot(v) + step.eps) * step.lr, lanes);
  });
}

}  // namespace fpo::train::FPO_KERNELS
