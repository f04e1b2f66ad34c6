#include "tests/train/support/meta_device.h"

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <ATen/core/stack.h>
#include <ATen/ops/_to_copy_compositeexplicitautograd_dispatch.h>
#include <torch/library.h>

#include <tuple>

namespace fpo::train {
namespace {

thread_local DeviceUse* watched = nullptr;
thread_local int64_t nonzeros_per_row = 1;

at::Tensor& MetaResize(at::Tensor& out, at::IntArrayRef sizes) {
  if (out.sizes() != sizes) out.resize_(sizes);
  return out;
}

at::Tensor& MetaAbsOut(const at::Tensor& self, at::Tensor& out) {
  return MetaResize(out, self.sizes());
}

at::Tensor& MetaLogicalOut(const at::Tensor& self, const at::Tensor& other, at::Tensor& out) {
  return MetaResize(out, at::infer_size(self.sizes(), other.sizes()));
}

at::Tensor MetaIndexSelect(const at::Tensor& self, int64_t dim, const at::Tensor& index) {
  std::vector<int64_t> sizes = self.sizes().vec();
  sizes[at::maybe_wrap_dim(dim, self.dim())] = index.numel();
  return at::empty(sizes, self.options());
}

at::Tensor MetaWhere(const at::Tensor& condition, const at::Tensor& self, const at::Tensor& other) {
  const auto both = at::infer_size(self.sizes(), other.sizes());
  return at::empty(at::infer_size(condition.sizes(), both),
                   condition.options().dtype(at::result_type(self, other)));
}

at::Tensor MetaEmbeddingBackward(const at::Tensor& grad, const at::Tensor&, int64_t rows, int64_t,
                                 bool) {
  return at::empty({rows, grad.size(-1)}, grad.options());
}

std::tuple<at::Tensor, at::Tensor> MetaLogSigmoid(const at::Tensor& self) {
  return {at::empty_like(self), at::empty({0}, self.options())};
}

at::Tensor MetaLogSigmoidBackward(const at::Tensor&, const at::Tensor& self, const at::Tensor&) {
  return at::empty_like(self);
}

void MetaFusedAdam(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                   at::TensorList, double, double, double, double, double, bool, bool,
                   const std::optional<at::Tensor>&, const std::optional<at::Tensor>&) {}

at::Tensor MetaNonzero(const at::Tensor& self) {
  if (watched != nullptr) ++watched->nonzeros;
  return at::empty({self.size(0) * nonzeros_per_row, self.dim()}, self.options().dtype(at::kLong));
}

at::Scalar MetaItem(const at::Tensor&) {
  if (watched != nullptr) ++watched->items;
  return 1;
}

at::Tensor MetaToCopy(const at::Tensor& self, std::optional<at::ScalarType> dtype,
                      std::optional<at::Layout> layout, std::optional<at::Device> device,
                      std::optional<bool> pin_memory, bool non_blocking,
                      std::optional<at::MemoryFormat> format) {
  if (!device.has_value() || device->is_meta()) {
    return at::compositeexplicitautograd::_to_copy(self, dtype, layout, device, pin_memory,
                                                   non_blocking, format);
  }
  if (watched != nullptr) ++watched->copies;
  return at::ones(self.sizes(), at::TensorOptions().dtype(dtype.value_or(self.scalar_type())));
}

// Zero-dimensional tensors of the CPU are numbers, and an upload has one tensor of each device.
bool Mixes(const std::string& name, at::ArrayRef<at::IValue> inputs) {
  bool meta = false, host = false;
  const auto look = [&](const at::Tensor& tensor) {
    if (!tensor.defined()) return;
    meta = meta || tensor.is_meta();
    host = host || (tensor.is_cpu() && tensor.dim() > 0);
  };
  for (const at::IValue& input : inputs) {
    if (input.isTensor()) look(input.toTensor());
    if (input.isTensorList()) {
      for (const at::Tensor& tensor : input.toTensorVector()) look(tensor);
    }
  }
  return meta && host && !(name == "aten::copy_" && inputs[0].toTensor().is_meta());
}

constexpr c10::DispatchKey kWatchKey = c10::DispatchKey::TESTING_ONLY_GenericMode;

// Comes before autograd and the kernels; sees what this thread calls, not what LibTorch calls
// within.
void Look(const c10::OperatorHandle& call, torch::jit::Stack* stack) {
  const c10::impl::ExcludeDispatchKeyGuard below(kWatchKey);
  const std::string& name = call.schema().name();
  if (watched != nullptr &&
      Mixes(name, torch::jit::last(*stack, call.schema().arguments().size()))) {
    watched->mixed.push_back(name);
  }
  call.callBoxed(stack);
}

}  // namespace

// Only what the training steps call and LibTorch's C++ lacks.
TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("abs.out", MetaAbsOut);
  library.impl("logical_and.out", MetaLogicalOut);
  library.impl("logical_or.out", MetaLogicalOut);
  library.impl("index_select", MetaIndexSelect);
  library.impl("where.self", MetaWhere);
  library.impl("embedding_dense_backward", MetaEmbeddingBackward);
  library.impl("log_sigmoid_forward", MetaLogSigmoid);
  library.impl("log_sigmoid_backward", MetaLogSigmoidBackward);
  library.impl("_fused_adam_", MetaFusedAdam);
  library.impl("_fused_adamw_", MetaFusedAdam);
  library.impl("nonzero", MetaNonzero);
  library.impl("_local_scalar_dense", MetaItem);
  library.impl("_to_copy", MetaToCopy);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&Look>());
}

struct DeviceWatch::Observer {
  DeviceUse use;
  c10::impl::IncludeDispatchKeyGuard key{kWatchKey};
};

DeviceWatch::DeviceWatch(int64_t per_row) : observer_(std::make_unique<Observer>()) {
  watched = &observer_->use;
  nonzeros_per_row = per_row;
}

DeviceWatch::~DeviceWatch() { watched = nullptr; }

const DeviceUse& DeviceWatch::use() const { return observer_->use; }

}  // namespace fpo::train
