#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "train/cuda/kernels/launch.h"

// The grid of the CUDA kernels on a CPU: blocks one after another, and in a block one thread after
// another between the places where threads wait. Sums are taken in the order of a GPU's.
namespace fpo::train::cuda {

class SerialBlock {
 public:
  explicit SerialBlock(int threads) : threads_(threads) {}
  int threads() const { return threads_; }

  template <class Fn>
  void Each(const Fn& fn) {
    // The last thread first: what needs another thread's write of the same phase goes wrong.
    for (int thread = threads_ - 1; thread >= 0; --thread) fn(thread);
  }

  template <class T, class Fn>
  T Sum(const Fn& fn) {
    return Combine<T>(fn, [](const T& a, const T& b) { return a + b; });
  }

  template <class T, class Fn, class Op>
  T Combine(const Fn& fn, const Op& op) {
    std::vector<T> values;
    for (int thread = 0; thread < threads_; ++thread) values.push_back(fn(thread));
    for (int distance = 16; distance > 0; distance /= 2) {
      std::vector<T> combined;
      for (int lane = 0; lane < threads_; ++lane) {
        combined.push_back(
            op(values[static_cast<size_t>(lane)], values[static_cast<size_t>(lane ^ distance)]));
      }
      values = std::move(combined);
    }
    T value = values[0];
    for (int warp = 1; warp < threads_ / 32; ++warp) {
      value = op(value, values[static_cast<size_t>(warp) * 32]);
    }
    return value;
  }

  template <class T, class Read, class Write>
  void Exchange(const Read& read, const Write& write) {
    std::vector<T> values;
    for (int thread = 0; thread < threads_; ++thread) values.push_back(read(thread));
    for (int thread = threads_ - 1; thread >= 0; --thread) {
      write(thread, values[static_cast<size_t>(thread)]);
    }
  }

 private:
  int threads_;
};

struct SerialGrid {
  template <class Kernel>
  static const char* Launch(const Kernel& kernel, Size size, void*) {
    for (int64_t index = size.blocks - 1; index >= 0; --index) {
      SerialBlock block(size.threads);
      kernel(block, index);
    }
    return nullptr;
  }
};

}  // namespace fpo::train::cuda
