#include "train/ops/fast_paths.h"

#include <ATen/Version.h>

#include <atomic>

namespace fpo::train {
namespace {

std::atomic<bool> uses_kernels{FastPaths{}.kernels};
std::atomic<bool> uses_packed{FastPaths{}.packed};
std::atomic<bool> uses_one_head{FastPaths{}.one_head};
std::atomic<bool> uses_gradient_sums{FastPaths{}.gradient_sums};

}  // namespace

void SetFastPaths(const FastPaths& paths) {
  uses_kernels = paths.kernels;
  uses_packed = paths.packed;
  uses_one_head = paths.one_head;
  uses_gradient_sums = paths.gradient_sums;
}

FastPaths ActiveFastPaths() {
  return {uses_kernels, uses_packed, uses_one_head, uses_gradient_sums};
}

const KernelSet* KernelsOf(const at::Tensor& x) {
  if (!uses_kernels || !x.is_cpu() || x.scalar_type() != at::kFloat) return nullptr;
  static const KernelSet& chosen = KernelsFor(at::get_cpu_capability().c_str());
  return &chosen;
}

}  // namespace fpo::train
