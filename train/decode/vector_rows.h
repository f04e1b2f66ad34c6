#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "train/decode/cpu_kernels.h"
#include "train/decode/lane_math.h"

namespace fpo::train::vector {

template <class S>
FPO_INLINE void Norm(const NormTask& task, int64_t begin, int64_t end) {
  using F = typename S::F;
  for (int64_t row = begin; row < end; ++row) {
    const float* x = task.x + row * task.width;
    float* y = task.y + row * task.width;
    F squares = {};
    int64_t i = 0;
    for (; i + S::kLanes <= task.width; i += S::kLanes) {
      F value;
      Load<S>(x + i, &value);
      squares += value * value;
    }
    float sum = Sum<S>(squares);
    for (; i < task.width; ++i) sum += x[i] * x[i];
    const float rstd = 1 / std::sqrt(sum / static_cast<float>(task.width) + task.eps);
    for (i = 0; i < task.width; ++i) y[i] = x[i] * rstd * task.scale[i];
  }
}

template <class S>
FPO_INLINE void Rotate(const RotateTask& task) {
  const int64_t half = task.dim / 2;
  for (int64_t head = 0; head < task.heads; ++head) {
    float* low = task.x + head * task.dim;
    float* high = low + half;
    for (int64_t i = 0; i < half; ++i) {
      const float a = low[i], b = high[i];
      low[i] = a * task.cos[i] - b * task.sin[i];
      high[i] = b * task.cos[i] + a * task.sin[i];
    }
  }
}

template <class S>
FPO_INLINE void Geglu(float* gate, const float* up, int64_t count) {
  using F = typename S::F;
  const auto gelu = [up](F * value, int64_t at, int width) __attribute__((always_inline)) {
    const F v = *value;
    F inner = (v + v * v * v * 0.044715f) * 0.7978845608028654f;
    Tanh<S>(&inner);
    F other = {};
    std::memcpy(&other, up + at, static_cast<size_t>(width) * sizeof(float));
    *value = v * 0.5f * (inner + 1.0f) * other;
  };
  ForEach<S>(gate, count, gelu);
}

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
