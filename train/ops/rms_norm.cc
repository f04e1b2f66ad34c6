#include "train/ops/rms_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The rows of one partial sum of the weight's gradient: fixed, so that the number of threads does
// not change its bits.
int64_t RowsOfPart(int64_t rows) {
  constexpr int64_t kParts = 64, kLeastRows = 16;
  return std::max(kLeastRows, (rows + kParts - 1) / kParts);
}

struct NormResult {
  at::Tensor y, rstd;
};

NormResult NormByKernels(const KernelSet& kernels, const at::Tensor& x, const at::Tensor& weight,
                         const NormOptions& options) {
  const int64_t width = x.size(-1), rows = x.numel() / width;
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = 1;
  NormResult result = {at::empty_like(x), at::empty(sizes, x.options())};
  const float* const in = x.const_data_ptr<float>();
  float* const out = result.y.mutable_data_ptr<float>();
  float* const rstd = result.rstd.mutable_data_ptr<float>();
  const NormRow first = {in, weight.const_data_ptr<float>(), width, static_cast<float>(options.eps),
                         static_cast<float>(options.offset)};
  at::parallel_for(0, rows, RowsOfPart(rows), [&](int64_t begin, int64_t end) {
    NormRow own = first;
    for (int64_t row = begin; row < end; ++row) {
      own.x = in + row * width;
      rstd[row] = kernels.norm(own, out + row * width);
    }
  });
  return result;
}

struct NormGradients {
  at::Tensor x, weight;
};

NormGradients NormGradientsByKernels(const KernelSet& kernels, const variable_list& saved,
                                     double offset, const at::Tensor& grad) {
  const at::Tensor &x = saved[0], &weight = saved[1], &rstd = saved[2];
  const int64_t width = x.size(-1), rows = x.numel() / width, part_rows = RowsOfPart(rows);
  const int64_t parts = (rows + part_rows - 1) / part_rows;
  NormGradients result = {at::empty_like(x), at::zeros({parts, width}, x.options())};
  const float* const in = x.const_data_ptr<float>();
  const float* const scale = weight.const_data_ptr<float>();
  const float* const rstds = rstd.const_data_ptr<float>();
  const float* const grads = grad.const_data_ptr<float>();
  float* const grad_x = result.x.mutable_data_ptr<float>();
  float* const grad_weight = result.weight.mutable_data_ptr<float>();
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      for (int64_t row = part * part_rows; row < std::min(rows, (part + 1) * part_rows); ++row) {
        kernels.norm_gradient(
            {in + row * width, scale, width, 0, static_cast<float>(offset)},
            {grads + row * width, rstds[row], grad_x + row * width, grad_weight + part * width});
      }
    }
  });
  result.weight = result.weight.sum(0);
  return result;
}

const CudaTable* CudaKernels(const at::Tensor& x, const at::Tensor& weight) {
  return x.scalar_type() == weight.scalar_type() ? CudaKernelsOf(x) : nullptr;
}

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const NormOptions& options) {
    context->saved_data["offset"] = options.offset;
    if (const CudaTable* cuda = CudaKernels(x, weight)) {
      const NormedOnCuda made = NormByCuda(*cuda, {x, weight, options.eps, {}, options.offset});
      context->save_for_backward({x, weight, made.rstd});
      return made.y;
    }
    if (const KernelSet* kernels = KernelsOf(x);
        kernels != nullptr && weight.scalar_type() == at::kFloat) {
      const at::Tensor rows = x.contiguous(), scale = weight.contiguous();
      const NormResult result = NormByKernels(*kernels, rows, scale, options);
      context->save_for_backward({rows, scale, result.rstd});
      return result.y;
    }
    const at::Tensor wide = x.to(WideType(x));
    const at::Tensor rstd = wide.square().mean(-1, /*keepdim=*/true).add_(options.eps).rsqrt_();
    context->save_for_backward({x, weight, rstd});
    return (wide * rstd).mul_(weight.to(wide.scalar_type()) + options.offset).to(x.scalar_type());
  }

  // With n = x * rstd and g = dy * (offset + w): dx = rstd * (g - n * mean(g * n)), dw = sum over
  // rows of dy * n.
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &rstd = saved[2];
    const double offset = context->saved_data["offset"].toDouble();
    if (const CudaTable* cuda = CudaKernels(x, weight)) {
      const auto made = NormGradientsByCuda(*cuda, {x, weight, 0, {}, offset}, rstd, grads[0]);
      return {made.x, made.weight.to(weight.scalar_type()), at::Tensor()};
    }
    if (const KernelSet* kernels = KernelsOf(x);
        kernels != nullptr && weight.scalar_type() == at::kFloat) {
      const NormGradients made =
          NormGradientsByKernels(*kernels, saved, offset, grads[0].contiguous());
      return {made.x, made.weight, at::Tensor()};
    }
    const at::Tensor grad = grads[0].to(rstd.scalar_type());
    const at::Tensor normed = x.to(rstd.scalar_type()) * rstd;
    at::Tensor grad_weight;
    if (context->needs_input_grad(1)) {
      grad_weight = (grad * normed).reshape({-1, x.size(-1)}).sum(0).to(weight.scalar_type());
    }
    at::Tensor grad_x;
    if (context->needs_input_grad(0)) {
      at::Tensor scaled = grad * (weight.to(rstd.scalar_type()) + offset);
      const at::Tensor projection = (scaled * normed).mean(-1, /*keepdim=*/true);
      grad_x = scaled.sub_(normed * projection).mul_(rstd).to(x.scalar_type());
    }
    return {grad_x, grad_weight, at::Tensor()};
  }
};

// Of CUDA kernels: one pass for norm and sum.
struct AddRmsNormFunction : torch::autograd::Function<AddRmsNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& residual,
                            const at::Tensor& x, const at::Tensor& weight,
                            const NormOptions& options) {
    context->saved_data["offset"] = options.offset;
    const NormedOnCuda made =
        NormByCuda(*CudaKernels(x, weight), {x, weight, options.eps, residual, options.offset});
    context->save_for_backward({x, weight, made.rstd});
    return made.y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const double offset = context->saved_data["offset"].toDouble();
    const auto made = NormGradientsByCuda(*CudaKernels(x, weight), {x, weight, 0, {}, offset},
                                          saved[2], grads[0]);
    return {grads[0], made.x, made.weight.to(weight.scalar_type()), at::Tensor()};
  }
};

}  // namespace

at::Tensor AddRmsNorm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                      const NormOptions& options) {
  const bool fits = residual.sizes() == x.sizes() && residual.scalar_type() == x.scalar_type();
  if (!fits || CudaKernels(x, weight) == nullptr) return residual + RmsNorm(x, weight, options);
  return AddRmsNormFunction::apply(residual, x, weight, options);
}

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, const NormOptions& options) {
  TORCH_CHECK(weight.dim() == 1 && x.dim() > 0 && x.size(-1) == weight.size(0), "RmsNorm: weight ",
              weight.sizes(), " does not fit rows of ", x.sizes());
  return RmsNormFunction::apply(x, weight, options);
}

}  // namespace fpo::train
