#include "train/ops/rms_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            double eps) {
    const at::Tensor wide = x.to(WideType(x));
    const at::Tensor rstd = wide.square().mean(-1, /*keepdim=*/true).add_(eps).rsqrt_();
    context->save_for_backward({x, weight, rstd});
    return (wide * rstd).mul_(weight.to(wide.scalar_type()) + 1).to(x.scalar_type());
  }

  // With n = x * rstd and g = dy * (1 + w): dx = rstd * (g - n * mean(g * n)), dw = sum over rows
  // of dy * n.
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &rstd = saved[2];
    const at::Tensor grad = grads[0].to(rstd.scalar_type());
    const at::Tensor normed = x.to(rstd.scalar_type()) * rstd;
    at::Tensor grad_weight;
    if (context->needs_input_grad(1)) {
      grad_weight = (grad * normed).reshape({-1, x.size(-1)}).sum(0).to(weight.scalar_type());
    }
    at::Tensor grad_x;
    if (context->needs_input_grad(0)) {
      at::Tensor scaled = grad * (weight.to(rstd.scalar_type()) + 1);
      const at::Tensor projection = (scaled * normed).mean(-1, /*keepdim=*/true);
      grad_x = scaled.sub_(normed * projection).mul_(rstd).to(x.scalar_type());
    }
    return {grad_x, grad_weight, at::Tensor()};
  }
};

}  // namespace

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  TORCH_CHECK(weight.dim() == 1 && x.dim() > 0 && x.size(-1) == weight.size(0), "RmsNorm: weight ",
              weight.sizes(), " does not fit rows of ", x.sizes());
  return RmsNormFunction::apply(x, weight, eps);
}

}  // namespace fpo::train
