#pragma once

#include <cmath>
#include <cstdint>

#include "train/cuda/kernels/cuda_calls.h"
#include "train/cuda/kernels/numbers.h"

// The norm of rows. A kernel is called once for each block of threads. `Block`
// is the grid's (device_grid.h) or a test's that computes one thread after another
// (tests/train/cuda/serial_grid.h):
//
//   threads()            how many; a multiple of 32
//   Each(fn)             fn(thread) on every thread; then all wait for each other
//   Sum<T>(fn)           the sum of fn(thread), the same bits on every thread, in a fixed order
//   Combine<T>(fn, op)   the same with op(a, b), which commutes
//   Exchange<T>(a, b)    T value = a(thread); all wait; b(thread, value); all wait
namespace fpo::train::cuda {

template <class T>
struct NormForward {  // one row
  CudaNorm call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t row) const {
    const T* const x = RowOf<T>(call.x, row, call.width);
    const float squares = block.template Sum<float>([&](int thread) {
      float sum = 0;
      ForEachPack<kPack<T>>(call.width, thread, block.threads(), [&](int64_t i, int64_t left) {
        float value[kPack<T>];
        Load(x + i, left, value);
        for (float each : value) sum += each * each;
      });
      return sum;
    });
    const float rstd = 1 / sqrtf(squares / static_cast<float>(call.width) + call.eps);
    block.Each([&](int thread) {
      if (thread == 0) call.rstd[row] = rstd;
      ForEachPack<kPack<T>>(call.width, thread, block.threads(),
                            [&](int64_t i, int64_t left) { Write(row, i, left, rstd); });
    });
  }

 private:
  FPO_DEVICE void Write(int64_t row, int64_t i, int64_t left, float rstd) const {
    float x[kPack<T>], w[kPack<T>], base[kPack<T>];
    Load(RowOf<T>(call.x, row, call.width) + i, left, x);
    Load(RowOf<T>(call.weight, 0, 0) + i, left, w);
    for (int k = 0; k < kPack<T>; ++k) x[k] = x[k] * rstd * (w[k] + call.offset);
    if (call.residual != nullptr) {
      Load(RowOf<T>(call.residual, row, call.width) + i, left, base);
      for (int k = 0; k < kPack<T>; ++k) x[k] = base[k] + Rounded<T>(x[k]);
    }
    Store(x, left, RowOf<T>(call.y, row, call.width) + i);
  }
};

// With n = x * rstd and g = dy * (offset + w): dx = rstd * (g - n * mean(g * n)); the part's dw =
// sum of dy * n, whose columns belong to one thread each.
template <class T>
struct NormBackward {  // CudaNormPartRows rows
  CudaNormGradient call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t part) const {
    const int64_t rows = CudaNormPartRows(call.rows), first = part * rows;
    const int64_t end = first + rows < call.rows ? first + rows : call.rows;
    for (int64_t row = first; row < end; ++row) {
      const float projection = block.template Sum<float>([&](int thread) {
        float sum = 0;
        ForEachPack<kPack<T>>(call.width, thread, block.threads(), [&](int64_t i, int64_t left) {
          Values v;
          Read(row, i, left, &v);
          for (int k = 0; k < kPack<T>; ++k) {
            sum += v.grad[k] * (v.weight[k] + call.offset) * v.normed[k];
          }
        });
        return sum;
      });
      const float mean = projection / static_cast<float>(call.width);
      block.Each([&](int thread) {
        ForEachPack<kPack<T>>(call.width, thread, block.threads(), [&](int64_t i, int64_t left) {
          Write({part, row, i, left}, row == first, mean);
        });
      });
    }
  }

 private:
  struct Values {
    float normed[kPack<T>], weight[kPack<T>], grad[kPack<T>];
  };
  struct Place {
    int64_t part, row, i, left;
  };

  FPO_DEVICE void Read(int64_t row, int64_t i, int64_t left, Values* v) const {
    Load(RowOf<T>(call.x, row, call.width) + i, left, v->normed);
    Load(RowOf<T>(call.weight, 0, 0) + i, left, v->weight);
    Load(RowOf<T>(call.grad, row, call.width) + i, left, v->grad);
    const float rstd = call.rstd[row];
    for (float& each : v->normed) each *= rstd;
  }
  FPO_DEVICE void Write(const Place& at, bool is_first, float mean) const {
    Values v;
    Read(at.row, at.i, at.left, &v);
    const float rstd = call.rstd[at.row];
    float grad_x[kPack<T>], sums[kPack<T>] = {};
    float* const own = call.parts + at.part * call.width + at.i;
    if (!is_first) Load(own, at.left, sums);
    for (int k = 0; k < kPack<T>; ++k) {
      grad_x[k] = rstd * (v.grad[k] * (v.weight[k] + call.offset) - v.normed[k] * mean);
      sums[k] += v.grad[k] * v.normed[k];
    }
    Store(sums, at.left, own);
    Store(grad_x, at.left, RowOf<T>(call.grad_x, at.row, call.width) + at.i);
  }
};

// grad_weight: the sum of the parts' columns. A block has as many columns as threads.
struct NormWeightSums {
  CudaNormGradient call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t index) const {
    block.Each([&](int thread) {
      const int64_t column = index * block.threads() + thread;
      if (column >= call.width) return;
      constexpr int kApart = 8;  // sums that do not wait for each other's loads
      float sums[kApart] = {};
      const int64_t parts = CudaNormParts(call.rows);
      for (int64_t part = 0; part < parts; part += kApart) {
        for (int k = 0; k < kApart; ++k) {
          if (part + k < parts) sums[k] += call.parts[(part + k) * call.width + column];
        }
      }
      float sum = call.adds ? call.grad_weight[column] : 0;
      for (float each : sums) sum += each;
      call.grad_weight[column] = sum;
    });
  }
};

}  // namespace fpo::train::cuda
