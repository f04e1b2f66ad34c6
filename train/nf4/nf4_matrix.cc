#include "train/nf4/nf4_matrix.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "train/ops/product.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct MatrixHolder : torch::CustomClassHolder {
  explicit MatrixHolder(std::shared_ptr<const Nf4Matrix> value) : matrix(std::move(value)) {}
  std::shared_ptr<const Nf4Matrix> matrix;
};

struct Nf4LinearFunction : torch::autograd::Function<Nf4LinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const std::shared_ptr<const Nf4Matrix>& weight) {
    context->saved_data["weight"] =
        c10::IValue::make_capsule(c10::make_intrusive<MatrixHolder>(weight));
    at::Tensor y;
    weight->buffer->With(weight->tensor, x.scalar_type(),
                         [&](const at::Tensor& dense) { y = Linear(x, dense); });
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto holder = context->saved_data["weight"].toCapsule();
    const Nf4Matrix& weight = *static_cast<const MatrixHolder&>(*holder).matrix;
    const at::Tensor grad = grads[0].reshape({-1, grads[0].size(-1)});
    std::vector<int64_t> sizes = grads[0].sizes().vec();
    sizes.back() = weight.tensor.sizes[1];
    at::Tensor grad_x;
    weight.buffer->With(weight.tensor, grad.scalar_type(), [&](const at::Tensor& dense) {
      grad_x = MatrixProduct(grad, dense).view(sizes);
    });
    return {grad_x, at::Tensor()};
  }
};

}  // namespace

void WeightBuffer::With(const Nf4Tensor& packed, at::ScalarType type,
                        const std::function<void(const at::Tensor&)>& fn) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  const int64_t count = packed.Weights();
  at::Tensor own;
  at::Tensor& memory = lock.owns_lock() ? memory_ : own;
  if (!memory.defined() || memory.numel() < count || memory.scalar_type() != type) {
    memory = at::Tensor();  // before the larger one is made
    memory = at::empty({count}, packed.codes.options().dtype(type));
  }
  const at::Tensor dense = memory.narrow(0, 0, count).view(packed.sizes);
  DequantiseNf4(packed, dense);
  fn(dense);
}

at::Tensor Nf4Linear(const at::Tensor& x, const std::shared_ptr<const Nf4Matrix>& weight) {
  TORCH_CHECK(x.size(-1) == weight->tensor.sizes[1], "Nf4Linear: ", x.sizes(), " by a weight of ",
              at::IntArrayRef(weight->tensor.sizes));
  return Nf4LinearFunction::apply(x, weight);
}

}  // namespace fpo::train
