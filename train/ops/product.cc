#include "train/ops/product.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "train/ops/fast_paths.h"
#include "train/ops/gradient_sum.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// x w^T, of dense matrices.
using OneDnnLinear = at::Tensor(const at::Tensor&, const at::Tensor&,
                                const std::optional<at::Tensor>&, c10::string_view,
                                c10::List<std::optional<at::Scalar>>,
                                std::optional<c10::string_view>);

// Undefined in a LibTorch that was built without oneDNN.
const std::optional<c10::TypedOperatorHandle<OneDnnLinear>>& OneDnn() {
  static const auto found = []() -> std::optional<c10::TypedOperatorHandle<OneDnnLinear>> {
    const auto handle = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (!handle.has_value() || !at::hasMKLDNN()) return std::nullopt;
    return handle->typed<OneDnnLinear>();
  }();
  return found;
}

// A small product takes less time than finding its kernel.
bool IsLarge(const at::Tensor& a, const at::Tensor& b) {
  constexpr int64_t kMultiplications = int64_t{1} << 21;
  return a.size(0) * a.size(1) * b.size(1) >= kMultiplications;
}

bool ByOneDnn(const at::Tensor& a, const at::Tensor& b) {
  const KernelSet* const kernels = KernelsOf(a);
  return kernels != nullptr && KernelsOf(b) != nullptr && ActiveFastPaths().onednn &&
         std::strcmp(kernels->name, "AVX512") == 0 && IsLarge(a, b) && OneDnn().has_value();
}

void CheckFit(const at::Tensor& a, const at::Tensor& b) {
  TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0), "MatrixProduct: ", a.sizes(),
              " by ", b.sizes());
}

at::Tensor OneDnnProduct(const at::Tensor& a, const at::Tensor& b) {
  return OneDnn()->call(a, b.t(), std::nullopt, "none", c10::List<std::optional<at::Scalar>>(), "");
}

// fn(rows of `into`, rows of a), each of about 8 MiB at most: oneDNN's call has no way to write
// into a given matrix, and copies an `a` that is transposed.
template <typename Fn>
void ForEachPiece(const at::Tensor& into, const at::Tensor& a, const Fn& fn) {
  constexpr int64_t kElements = int64_t{1} << 21, kLeastRows = 256;
  const int64_t width = std::max<int64_t>({1, into.size(1), a.size(1)});
  const int64_t block = std::max(kLeastRows, kElements / width);
  for (int64_t row = 0; row < into.size(0); row += block) {
    const int64_t count = std::min(block, into.size(0) - row);
    fn(into.narrow(0, row, count), a.narrow(0, row, count));
  }
}

// Where the weight's gradient is faster, or more exact: that of bfloat16 is not rounded before it
// is summed.
bool HasOwnGradient(const at::Tensor& x, const at::Tensor& weight) {
  if (KernelsOf(x) != nullptr && KernelsOf(weight) != nullptr) return true;
  const bool here = x.is_cpu() || CudaKernelsOf(x) != nullptr;
  return ActiveFastPaths().gradient_sums && here && x.scalar_type() == at::kBFloat16 &&
         weight.scalar_type() == at::kBFloat16;
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight) {
    context->save_for_backward({x, weight});
    return MatrixProduct(x, weight.t());
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    at::Tensor grad_x, grad_weight;
    if (context->needs_input_grad(0)) grad_x = MatrixProduct(grads[0], saved[1]);
    if (!context->needs_input_grad(1)) return {grad_x, grad_weight};
    if (GradientSum* const sum = GradientSumOf(saved[1])) {
      sum->AddProduct(grads[0].t(), saved[0]);
    } else {
      grad_weight = MatrixProduct(grads[0].t(), saved[0]);
    }
    return {grad_x, grad_weight};
  }
};

}  // namespace

at::Tensor MatrixProduct(const at::Tensor& a, const at::Tensor& b) {
  CheckFit(a, b);
  const at::NoGradGuard no_grad;
  return ByOneDnn(a, b) ? OneDnnProduct(a, b) : at::mm(a, b);
}

void StoreMatrixProduct(const at::Tensor& into, const at::Tensor& a, const at::Tensor& b) {
  CheckFit(a, b);
  const at::NoGradGuard no_grad;
  if (!ByOneDnn(a, b)) {
    at::Tensor out = into;  // the overload wants a reference to a tensor, not to its values
    at::mm_out(out, a, b);
    return;
  }
  ForEachPiece(into, a, [&](const at::Tensor& own, const at::Tensor& rows) {
    own.copy_(OneDnnProduct(rows, b));
  });
}

void AddMatrixProduct(const at::Tensor& into, const at::Tensor& a, const at::Tensor& b) {
  CheckFit(a, b);
  const at::NoGradGuard no_grad;
  if (!ByOneDnn(a, b)) {
    into.addmm_(a, b);
    return;
  }
  ForEachPiece(into, a, [&](const at::Tensor& own, const at::Tensor& rows) {
    own.add_(OneDnnProduct(rows, b));
  });
}

at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight) {
  if (!HasOwnGradient(x, weight)) return at::linear(x, weight);
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  return LinearFunction::apply(x.reshape({-1, x.size(-1)}), weight).view(sizes);
}

}  // namespace fpo::train
