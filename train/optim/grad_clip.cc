#include "train/optim/grad_clip.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {

namespace {

// LibTorch would make a float64 copy of the tensor.
at::Tensor NormByKernels(const KernelSet& kernels, const at::Tensor& gradient) {
  constexpr int64_t kBlock = 1 << 16;  // fixed: the number of threads does not change the sum
  const int64_t count = gradient.numel(), blocks = (count + kBlock - 1) / kBlock;
  const float* const values = gradient.const_data_ptr<float>();
  std::vector<double> sums(static_cast<size_t>(blocks));
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      sums[static_cast<size_t>(i)] =
          kernels.sum_of_squares(values + i * kBlock, std::min(kBlock, count - i * kBlock));
    }
  });
  return at::scalar_tensor(std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0)), at::kDouble);
}

}  // namespace

double GlobalNorm(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  if (gradients.empty()) return 0;
  std::vector<at::Tensor> norms;
  for (const at::Tensor& gradient : gradients) {
    if (const CudaTable* cuda = CudaKernelsOf(gradient);
        cuda != nullptr && gradient.scalar_type() == at::kFloat) {
      norms.push_back(SquaresByCuda(*cuda, gradient).sqrt());
      continue;
    }
    if (const KernelSet* kernels = KernelsOf(gradient)) {
      norms.push_back(NormByKernels(*kernels, gradient.contiguous()));
      continue;
    }
    norms.push_back(
        at::linalg_vector_norm(gradient, 2, at::OptionalIntArrayRef(), false, at::kDouble));
  }
  // Everything before stays on the device: one wait in all, not one per tensor.
  return at::linalg_vector_norm(at::stack(norms)).item<double>();
}

double ClipFactor(double norm, double max_norm) {
  return max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
}

double ClipGlobalNorm(const std::vector<at::Tensor>& gradients, double max_norm) {
  const double norm = GlobalNorm(gradients), factor = ClipFactor(norm, max_norm);
  if (factor == 1) return norm;
  for (const at::Tensor& gradient : gradients) gradient.mul_(factor);
  return norm;
}

}  // namespace fpo::train
