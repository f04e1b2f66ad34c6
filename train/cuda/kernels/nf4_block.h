#pragma once

#include <cstdint>

#include "train/cuda/kernels/cuda_calls.h"
#include "train/cuda/kernels/numbers.h"

// Weights of 4 bits to numbers: a kernel as norm_block.h describes them.
namespace fpo::train::cuda {

constexpr int64_t kNf4Span = 4096;  // weights of a block of threads

// a * b + c, each rounded: one instruction for both would give other bits than a CPU.
FPO_BOTH inline float RoundedProductSum(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(__fmul_rn(a, b), c);
#else
  return a * b + c;
#endif
}

template <class T>
struct Nf4Dense {  // kNf4Span weights
  CudaNf4 call;

  template <class Block>
  FPO_DEVICE void operator()(Block& block, int64_t index) const {
    const int64_t first = index * kNf4Span;
    const int64_t left = call.count - first;
    block.Each([&](int thread) {
      ForEachPack<kPack<T>>(left < kNf4Span ? left : kNf4Span, thread, block.threads(),
                            [&](int64_t i, int64_t rest) { WritePack(first + i, rest); });
    });
  }

 private:
  // A pack lies in one block of weights, whose size is a multiple of 32.
  FPO_DEVICE void WritePack(int64_t i, int64_t left) const {
    const float absmax = Magnitude(i / call.block);
    float values[kPack<T>];
    for (int k = 0; k < kPack<T>; ++k) {
      const int64_t at = i + k;
      if (k >= left) break;
      const unsigned pair = call.codes[at / 2];
      values[k] = call.values[at % 2 == 0 ? pair >> 4 : pair & 15U] * absmax;
    }
    Store(values, left, static_cast<T*>(call.out) + i);
  }

  FPO_DEVICE float Magnitude(int64_t block) const {
    if (call.absmax_codes == nullptr) return call.absmax[block];
    return RoundedProductSum(call.nested_map[call.absmax_codes[block]],
                             call.absmax[block / call.nested_block], call.offset);
  }
};

}  // namespace fpo::train::cuda
