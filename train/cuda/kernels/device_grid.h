#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "train/cuda/kernels/launch.h"

// The GPU's grid. For .cu files alone.
namespace fpo::train::cuda {

class DeviceBlock {
 public:
  __device__ int threads() const { return static_cast<int>(blockDim.x); }

  template <class Fn>
  __device__ void Each(const Fn& fn) {
    fn(static_cast<int>(threadIdx.x));
    __syncthreads();
  }

  template <class T, class Fn>
  __device__ T Sum(const Fn& fn) {
    return Combine<T>(fn, [](const T& a, const T& b) { return a + b; });
  }

  // First within each warp, by halves, then over the warps in order.
  template <class T, class Fn, class Op>
  __device__ T Combine(const Fn& fn, const Op& op) {
    T value = fn(static_cast<int>(threadIdx.x));
    for (int distance = 16; distance > 0; distance /= 2) value = op(value, Of(value, distance));
    __shared__ T of_warps[32];
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    value = of_warps[0];
    for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) value = op(value, of_warps[warp]);
    __syncthreads();  // before the next one writes
    return value;
  }

  template <class T, class Read, class Write>
  __device__ void Exchange(const Read& read, const Write& write) {
    const T value = read(static_cast<int>(threadIdx.x));
    __syncthreads();
    write(static_cast<int>(threadIdx.x), value);
    __syncthreads();
  }

 private:
  // The value of the lane whose number differs in the bit `distance`.
  template <class T>
  __device__ static T Of(const T& value, int distance) {
    static_assert(sizeof(T) % sizeof(unsigned) == 0);
    union Words {
      T value;
      unsigned words[sizeof(T) / sizeof(unsigned)];
      __device__ Words() {}
    };
    Words own, other;
    own.value = value;
    for (unsigned i = 0; i < sizeof(T) / sizeof(unsigned); ++i) {
      other.words[i] = __shfl_xor_sync(0xFFFFFFFFu, own.words[i], distance);
    }
    return other.value;
  }
};

template <class Kernel>
__global__ void RunKernel(const Kernel kernel) {
  DeviceBlock block;
  kernel(block, static_cast<int64_t>(blockIdx.x));
}

struct DeviceGrid {
  template <class Kernel>
  static const char* Launch(const Kernel& kernel, Size size, void* stream) {
    if (size.blocks == 0) return nullptr;
    if (size.blocks > INT32_MAX) return "more blocks than a grid holds";
    const dim3 blocks(static_cast<unsigned>(size.blocks)),
        threads(static_cast<unsigned>(size.threads));
    RunKernel<<<blocks, threads, 0, static_cast<cudaStream_t>(stream)>>>(kernel);
    const cudaError_t error = cudaGetLastError();
    return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
  }
};

}  // namespace fpo::train::cuda
