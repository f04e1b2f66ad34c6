#pragma once

#include <cstdint>

#include "train/kernels/vector_math.h"

// Products of matrices of some dozens of rows that are in the cache.
namespace fpo::train::FPO_KERNELS {

// c += a b. a: [rows, inner], element (i, k) at a[i * a_row + k * a_column]; b: [inner, columns]
// and c: [rows, columns], contiguous rows `b_row` and `c_row` apart. `columns` is a multiple of
// kLanes.
struct Product {
  const float* a;
  int64_t a_row, a_column;
  const float* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
  int64_t rows, inner, columns;
};

// kRows * kVecs sums stay in registers.
template <int kRows, int kVecs>
inline void AddTile(const Product& p, int64_t row, int64_t column) {
  Vec sums[kRows][kVecs] = {};
  const float* a = p.a + row * p.a_row;
  const float* b = p.b + column;
  for (int64_t k = 0; k < p.inner; ++k, a += p.a_column, b += p.b_row) {
    Vec own[kVecs];
    for (int v = 0; v < kVecs; ++v) own[v] = Load(b + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const float factor = a[r * p.a_row];
      for (int v = 0; v < kVecs; ++v) sums[r][v] += own[v] * factor;
    }
  }
  for (int r = 0; r < kRows; ++r) {
    float* const c = p.c + (row + r) * p.c_row + column;
    for (int v = 0; v < kVecs; ++v) Store(c + v * kLanes, Load(c + v * kLanes) + sums[r][v]);
  }
}

template <int kRows>
inline void AddRows(const Product& p, int64_t row) {
  constexpr int kVecs = kLanes == 16 ? 4 : 2;
  int64_t column = 0;
  for (; column + kVecs * kLanes <= p.columns; column += kVecs * kLanes) {
    AddTile<kRows, kVecs>(p, row, column);
  }
  for (; column < p.columns; column += kLanes) AddTile<kRows, 1>(p, row, column);
}

inline void AddProduct(const Product& p) {
  int64_t row = 0;
  for (; row + 6 <= p.rows; row += 6) AddRows<6>(p, row);
  for (; row + 2 <= p.rows; row += 2) AddRows<2>(p, row);
  for (; row < p.rows; ++row) AddRows<1>(p, row);
}

}  // namespace fpo::train::FPO_KERNELS
