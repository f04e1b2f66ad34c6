#include "train/ops/rope.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <cstdint>

#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor RotateByKernels(const KernelSet& kernels, const at::Tensor& x, const RopeTable& table,
                           float sign) {
  const int64_t seq = x.size(1), heads = x.size(2), half = x.size(3) / 2;
  at::Tensor rotated = at::empty_like(x);
  const float* const in = x.const_data_ptr<float>();
  const float* const cos = table.cos.const_data_ptr<float>();
  const float* const sin = table.sin.const_data_ptr<float>();
  float* const out = rotated.mutable_data_ptr<float>();
  const int64_t width = heads * 2 * half;
  at::parallel_for(0, x.size(0) * seq, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t angles = row % seq * half;
      kernels.rope({in + row * width, cos + angles, sin + angles, heads, half, sign},
                   out + row * width);
    }
  });
  return rotated;
}

// x: [batch, seq, heads, head_dim]; `sign` -1 inverts the rotation.
at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, float sign) {
  if (const CudaTable* cuda = CudaKernelsOf(x); cuda != nullptr && cos.scalar_type() == at::kFloat)
    return RopeByCuda(*cuda, {x, cos, sin, sign});
  if (const KernelSet* kernels = KernelsOf(x);
      kernels != nullptr && cos.scalar_type() == at::kFloat)
    return RotateByKernels(*kernels, x.contiguous(), {cos.contiguous(), sin.contiguous()}, sign);
  const int64_t half = x.size(-1) / 2;
  const at::Tensor c = cos.unsqueeze(1), s = sin.unsqueeze(1);  // [seq, 1, half]
  const at::Tensor wide = x.to(cos.scalar_type());
  const at::Tensor first = wide.narrow(-1, 0, half), second = wide.narrow(-1, half, half);
  at::Tensor rotated = at::empty(x.sizes(), wide.options());
  at::Tensor low = rotated.narrow(-1, 0, half), high = rotated.narrow(-1, half, half);
  at::mul_out(low, first, c);
  low.addcmul_(second, s, -sign);
  at::mul_out(high, second, c);
  high.addcmul_(first, s, sign);
  return rotated.to(x.scalar_type());
}

struct RopeFunction : torch::autograd::Function<RopeFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return Rotate(x, cos, sin, 1);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    return {Rotate(grads[0], saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

// With t = turns in the original context, the share of a frequency that stays is 0 up to
// low_freq_factor, 1 from high_freq_factor on, and linear in t between them.
at::Tensor Stretched(const at::Tensor& frequency, const Llama3Scaling& scaling) {
  const double turn = 2 * M_PI / scaling.original_positions;
  const double span = scaling.high_freq_factor - scaling.low_freq_factor;
  const at::Tensor kept = (frequency / turn).sub_(scaling.low_freq_factor).div_(span).clamp_(0, 1);
  return (1 - kept).mul_(frequency / scaling.factor).add_(kept * frequency);
}

}  // namespace

RopeTable MakeRopeTable(int64_t seq, int64_t head_dim, const RopeOptions& options,
                        const at::Tensor& like) {
  TORCH_CHECK(head_dim % 2 == 0, "MakeRopeTable: head_dim ", head_dim, " is odd");
  const auto wide = at::TensorOptions().dtype(WideType(like)).device(like.device());
  const at::Tensor exponent = at::arange(0, head_dim, 2, wide).div_(static_cast<double>(head_dim));
  at::Tensor frequency = at::pow(at::Scalar(options.base), exponent).reciprocal_();
  frequency =
      options.llama3 ? Stretched(frequency, *options.llama3) : frequency.div_(options.scaling);
  const at::Tensor angle = at::outer(at::arange(seq, wide), frequency);
  return {angle.cos(), angle.sin()};
}

at::Tensor ApplyRope(const at::Tensor& x, const RopeTable& table) {
  TORCH_CHECK(x.dim() == 4 && x.size(1) == table.cos.size(0) && x.size(3) == 2 * table.cos.size(1),
              "ApplyRope: table ", table.cos.sizes(), " does not fit ", x.sizes());
  return RopeFunction::apply(x, table.cos, table.sin);
}

}  // namespace fpo::train
