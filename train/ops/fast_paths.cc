#include "train/ops/fast_paths.h"

#include <ATen/Version.h>

#include <atomic>

#include "train/cuda/cuda_library.h"

namespace fpo::train {
namespace {

std::atomic<bool> uses_kernels{FastPaths{}.kernels};
std::atomic<bool> uses_packed{FastPaths{}.packed};
std::atomic<bool> uses_one_head{FastPaths{}.one_head};
std::atomic<bool> uses_gradient_sums{FastPaths{}.gradient_sums};
std::atomic<bool> uses_onednn{FastPaths{}.onednn};
std::atomic<bool> uses_fused_attention{FastPaths{}.fused_attention};

}  // namespace

bool MklLacksAvx512() { return __builtin_cpu_is("intel") == 0; }

void SetFastPaths(const FastPaths& paths) {
  uses_kernels = paths.kernels;
  uses_packed = paths.packed;
  uses_one_head = paths.one_head;
  uses_gradient_sums = paths.gradient_sums;
  uses_onednn = paths.onednn;
  uses_fused_attention = paths.fused_attention;
}

FastPaths ActiveFastPaths() {
  return {uses_kernels,       uses_packed, uses_one_head,
          uses_gradient_sums, uses_onednn, uses_fused_attention};
}

const KernelSet* KernelsOf(const at::Tensor& x) {
  if (!uses_kernels || !x.is_cpu() || x.scalar_type() != at::kFloat) return nullptr;
  static const KernelSet& chosen = KernelsFor(at::get_cpu_capability().c_str());
  return &chosen;
}

const CudaTable* CudaKernelsOf(const at::Tensor& x) {
  return uses_kernels ? CudaTableFor(x) : nullptr;
}

const CudaTable* FusedAttentionOf(const at::Tensor& x) {
  return uses_fused_attention && x.scalar_type() == at::kBFloat16 ? CudaKernelsOf(x) : nullptr;
}

}  // namespace fpo::train
