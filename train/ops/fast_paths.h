#pragma once

#include <ATen/core/Tensor.h>

#include "train/cuda/kernels/cuda_table.h"
#include "train/kernels/kernel_set.h"

namespace fpo::train {

// True on a processor whose AVX-512 MKL does not use: any but Intel's.
bool MklLacksAvx512();

// Which of several equivalent ways to compute are taken. Each computes the same function; sums are
// taken in another order. Off: the plain way, which the fast one is compared with.
struct FastPaths {
  bool kernels = true;        // loops of our own: train/kernels on a CPU, train/cuda on a GPU
  bool packed = true;         // batches without padding, each prompt once, on a CPU
  bool one_head = true;       // gradients of the vocabulary head while its logits are in memory
  bool gradient_sums = true;  // gradients added to their sums in backward (gradient_sum.h)
  bool onednn = MklLacksAvx512();  // large float32 products with AVX-512 by oneDNN (product.h)
  // Attention of bfloat16 on a GPU in one kernel: the only one that computes another function
  // (fused_attention.h), which has a forward recipe of its own.
  bool fused_attention = false;

  static FastPaths None() { return {false, false, false, false, false, false}; }
};

// Process-wide; set before the first tensor is computed (fpo-train --plain, tests).
void SetFastPaths(const FastPaths& paths);
FastPaths ActiveFastPaths();

// Sets them until the end of the scope, for tests.
class FastPathsInScope {
 public:
  explicit FastPathsInScope(const FastPaths& paths) : before_(ActiveFastPaths()) {
    SetFastPaths(paths);
  }
  ~FastPathsInScope() { SetFastPaths(before_); }
  FastPathsInScope(const FastPathsInScope&) = delete;
  FastPathsInScope& operator=(const FastPathsInScope&) = delete;

 private:
  FastPaths before_;
};

// The kernels for a tensor: null unless they are on and it is float32 on the CPU.
const KernelSet* KernelsOf(const at::Tensor& x);

// The kernels of libfpo_cuda.so for it: null unless they are on, the library is there and the
// tensor is float32 or bfloat16 on a GPU.
const CudaTable* CudaKernelsOf(const at::Tensor& x);

// The same where its attention is to be computed in one kernel.
const CudaTable* FusedAttentionOf(const at::Tensor& x);

}  // namespace fpo::train
