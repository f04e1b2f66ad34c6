#pragma once

#include <cstdint>

#include "train/decode/cpu_kernels.h"
#include "train/decode/lane_math.h"

namespace fpo::train::vector {

template <class S, int kRows, int kColumns, class W>
FPO_INLINE void LinearTile(const LinearTask& task, int64_t row, int64_t column) {
  using F = typename S::F;
  const int64_t depth = task.depth;
  const float* x = task.x + row * depth;
  const W* weight = static_cast<const W*>(task.weight) + column * depth;
  F sums[kRows][kColumns] = {};
  int64_t k = 0;
  for (; k + S::kLanes <= depth; k += S::kLanes) {
    F w[kColumns];
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) Load<S>(weight + c * depth + k, &w[c]);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      F value;
      Load<S>(x + r * depth + k, &value);
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) sums[r][c] += value * w[c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      float sum = Sum<S>(sums[r][c]);
      for (int64_t i = k; i < depth; ++i) sum += x[r * depth + i] * Scalar(weight[c * depth + i]);
      task.y[(row + r) * task.columns + column + c] = sum;
    }
  }
}

template <class S, int kColumns, class W>
FPO_INLINE void LinearStrip(const LinearTask& task, int64_t first, int64_t last, int64_t column) {
  int64_t row = first;
  for (; row + S::kRows <= last; row += S::kRows) {
    LinearTile<S, S::kRows, kColumns, W>(task, row, column);
  }
  if constexpr (S::kRows > 4) {
    if (row + 4 <= last) {
      LinearTile<S, 4, kColumns, W>(task, row, column);
      row += 4;
    }
  }
  if constexpr (S::kRows > 2) {
    if (row + 2 <= last) {
      LinearTile<S, 2, kColumns, W>(task, row, column);
      row += 2;
    }
  }
  for (; row < last; ++row) LinearTile<S, 1, kColumns, W>(task, row, column);
}

template <class S, class W>
FPO_INLINE void LinearOf(const LinearTask& task, int64_t begin, int64_t end) {
  // Rows whose inputs stay in the second-level cache while the weights stream past.
  constexpr int64_t kInputFloats = 96 << 10;
  const int64_t fitting = kInputFloats / (task.depth > 0 ? task.depth : 1) / 8 * 8;
  const int64_t block = fitting > 16 ? fitting : 16;
  for (int64_t first = 0; first < task.rows; first += block) {
    const int64_t last = first + block < task.rows ? first + block : task.rows;
    int64_t column = begin;
    for (; column + S::kColumns <= end; column += S::kColumns) {
      LinearStrip<S, S::kColumns, W>(task, first, last, column);
    }
    for (; column < end; ++column) LinearStrip<S, 1, W>(task, first, last, column);
  }
}

template <class S>
FPO_INLINE void Linear(const LinearTask& task, int64_t begin, int64_t end) {
  if (task.type == WeightType::kFloat32) {
    LinearOf<S, float>(task, begin, end);
  } else {
    LinearOf<S, uint16_t>(task, begin, end);
  }
}

}  // namespace fpo::train::vector
