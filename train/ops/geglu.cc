#include "train/ops/geglu.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor Widen(const at::Tensor& x) { return x.to(WideType(x)); }

struct GegluFunction : torch::autograd::Function<GegluFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate,
                            const at::Tensor& up) {
    context->save_for_backward({gate, up});
    return at::gelu(Widen(gate), "tanh").mul_(Widen(up)).to(gate.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor gate = Widen(saved[0]), up = Widen(saved[1]), grad = Widen(grads[0]);
    const at::Tensor grad_gate = at::gelu_backward(grad * up, gate, "tanh");
    const at::Tensor grad_up = at::gelu(gate, "tanh").mul_(grad);
    return {grad_gate.to(saved[0].scalar_type()), grad_up.to(saved[1].scalar_type())};
  }
};

}  // namespace

at::Tensor Geglu(const at::Tensor& gate, const at::Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes(), "Geglu: gate ", gate.sizes(), " and up ", up.sizes());
  return GegluFunction::apply(gate, up);
}

}  // namespace fpo::train
