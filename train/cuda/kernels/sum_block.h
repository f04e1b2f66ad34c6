#pragma once

#include <cmath>
#include <cstdint>

#include "train/cuda/kernels/cuda_calls.h"
#include "train/cuda/kernels/numbers.h"

// Sums over the rows of a response and over gradients, and the optimisers' updates: kernels as
// norm_block.h describes them.
namespace fpo::train::cuda {

struct ResponseSum {  // one segment
  CudaResponseSums call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t segment) const {
    const double total = block.template Sum<double>([&](int thread) {
      double sum = 0;
      for (int64_t row = thread; row < call.rows; row += block.threads()) {
        if (call.owners[row] == segment) sum += static_cast<double>(call.values[row]);
      }
      return sum;
    });
    block.Each([&](int thread) {
      if (thread == 0) call.sums[segment] = total;
    });
  }
};

// As many columns of one segment as a block has threads. Only the rows between the segment's first
// and last are read.
struct RowSum {
  CudaRowSums call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t index) const {
    const int64_t tiles = (call.width + block.threads() - 1) / block.threads();
    const int64_t segment = index / tiles, first_column = index % tiles * block.threads();
    const auto rows = block.template Combine<Range>(
        [&](int thread) {
          Range own = {call.rows, -1};
          for (int64_t row = thread; row < call.rows; row += block.threads()) {
            if (call.owners[row] == segment) own = own.With({row, row});
          }
          return own;
        },
        [](const Range& a, const Range& b) { return a.With(b); });
    block.Each([&](int thread) {
      const int64_t column = first_column + thread;
      if (column >= call.width || rows.last < 0) return;
      float* const out = call.sums + segment * call.sums_stride + column;
      float sum = *out;
      for (int64_t row = rows.first; row <= rows.last; ++row) {
        if (call.owners[row] == segment) sum += call.values[row * call.width + column];
      }
      *out = sum;
    });
  }

 private:
  struct Range {
    int64_t first, last;
    FPO_BOTH Range With(const Range& other) const {
      return {first < other.first ? first : other.first, last > other.last ? last : other.last};
    }
  };
};

struct SquaresOfBlock {  // kCudaSquareBlock elements
  CudaSquares call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t index) const {
    const int64_t first = index * kCudaSquareBlock, left = call.count - first;
    const int64_t count = left < kCudaSquareBlock ? left : kCudaSquareBlock;
    const double total = block.template Sum<double>([&](int thread) {
      double sum = 0;
      ForEachPack<4>(count, thread, block.threads(), [&](int64_t i, int64_t rest) {
        float x[4];
        Load(call.values + first + i, rest, x);
        for (float each : x) sum += static_cast<double>(each) * static_cast<double>(each);
      });
      return sum;
    });
    block.Each([&](int thread) {
      if (thread == 0) call.parts[index] = total;
    });
  }
};

struct ClipFactorOf {  // one block
  CudaClip call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t) const {
    const double squares = block.template Sum<double>([&](int thread) {
      double sum = 0;
      for (int64_t i = thread; i < call.count; i += block.threads()) sum += call.parts[i];
      return sum;
    });
    block.Each([&](int thread) {
      if (thread != 0) return;
      const double norm = sqrt(squares);
      const bool clips = call.max_norm > 0 && norm > call.max_norm;
      *call.norm = norm;
      *call.factor = !(norm < INFINITY) ? NAN
                     : clips            ? static_cast<float>(call.max_norm / norm)
                                        : 1;
    });
  }
};

}  // namespace fpo::train::cuda
