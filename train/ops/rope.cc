#include "train/ops/rope.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// x: [batch, seq, heads, head_dim]; `sin` with the opposite sign inverts the rotation.
at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t half = x.size(-1) / 2;
  const at::Tensor c = cos.unsqueeze(1), s = sin.unsqueeze(1);  // [seq, 1, half]
  const at::Tensor wide = x.to(cos.scalar_type());
  const at::Tensor first = wide.narrow(-1, 0, half), second = wide.narrow(-1, half, half);
  at::Tensor rotated = at::empty(x.sizes(), wide.options());
  at::Tensor low = rotated.narrow(-1, 0, half), high = rotated.narrow(-1, half, half);
  at::mul_out(low, first, c);
  low.addcmul_(second, s, -1);
  at::mul_out(high, second, c);
  high.addcmul_(first, s);
  return rotated.to(x.scalar_type());
}

struct RopeFunction : torch::autograd::Function<RopeFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return Rotate(x, cos, sin);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    return {Rotate(grads[0], saved[0], saved[1].neg()), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

RopeTable MakeRopeTable(int64_t seq, int64_t head_dim, const RopeOptions& options,
                        const at::Tensor& like) {
  TORCH_CHECK(head_dim % 2 == 0, "MakeRopeTable: head_dim ", head_dim, " is odd");
  const auto wide = at::TensorOptions().dtype(WideType(like)).device(like.device());
  const at::Tensor exponent = at::arange(0, head_dim, 2, wide).div_(static_cast<double>(head_dim));
  const at::Tensor frequency =
      at::pow(at::Scalar(options.base), exponent).reciprocal_().div_(options.scaling);
  const at::Tensor angle = at::outer(at::arange(seq, wide), frequency);
  return {angle.cos(), angle.sin()};
}

at::Tensor ApplyRope(const at::Tensor& x, const RopeTable& table) {
  TORCH_CHECK(x.dim() == 4 && x.size(1) == table.cos.size(0) && x.size(3) == 2 * table.cos.size(1),
              "ApplyRope: table ", table.cos.sizes(), " does not fit ", x.sizes());
  return RopeFunction::apply(x, table.cos, table.sin);
}

}  // namespace fpo::train
