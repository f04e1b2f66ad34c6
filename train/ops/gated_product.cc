#include "train/ops/gated_product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>

#include "train/cuda/cuda_ops.h"
#include "train/ops/fast_paths.h"
#include "train/ops/wide_type.h"

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor Widen(const at::Tensor& x) { return x.to(WideType(x)); }

// Null unless gate and up are what the kernels read.
const KernelSet* GatedKernels(const at::Tensor& gate, const at::Tensor& up) {
  const bool fits = gate.is_contiguous() && up.is_contiguous() && KernelsOf(up) != nullptr;
  return fits ? KernelsOf(gate) : nullptr;
}

// fn(first, count) on all threads. Blocks are fixed, so that the number of threads changes nothing.
template <typename Fn>
void ForEachBlock(int64_t elements, const Fn& fn) {
  constexpr int64_t kBlock = 4096;
  at::parallel_for(0, (elements + kBlock - 1) / kBlock, 4, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin * kBlock; first < std::min(elements, end * kBlock);
         first += kBlock) {
      fn(first, std::min(kBlock, elements - first));
    }
  });
}

struct GeluTanh {
  static constexpr Gating kGating = Gating::kGeluTanh;
  static constexpr auto kForward = &KernelSet::geglu;
  static constexpr auto kBackward = &KernelSet::geglu_gradient;
  static at::Tensor Of(const at::Tensor& gate) { return at::gelu(gate, "tanh"); }
  static at::Tensor Gradient(const at::Tensor& grad, const at::Tensor& gate) {
    return at::gelu_backward(grad, gate, "tanh");
  }
};

struct Silu {
  static constexpr Gating kGating = Gating::kSilu;
  static constexpr auto kForward = &KernelSet::swiglu;
  static constexpr auto kBackward = &KernelSet::swiglu_gradient;
  static at::Tensor Of(const at::Tensor& gate) { return at::silu(gate); }
  static at::Tensor Gradient(const at::Tensor& grad, const at::Tensor& gate) {
    return at::silu_backward(grad, gate);
  }
};

template <class Activation>
struct GatedFunction : torch::autograd::Function<GatedFunction<Activation>> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate,
                            const at::Tensor& up) {
    context->save_for_backward({gate, up});
    if (const CudaTable* cuda = CudaKernelsOf(gate)) {
      return GatedByCuda(*cuda, {Activation::kGating, gate, up});
    }
    if (const KernelSet* kernels = GatedKernels(gate, up)) {
      at::Tensor result = at::empty_like(gate);
      const float* const gates = gate.const_data_ptr<float>();
      const float* const ups = up.const_data_ptr<float>();
      float* const out = result.mutable_data_ptr<float>();
      ForEachBlock(gate.numel(), [&](int64_t first, int64_t count) {
        (kernels->*Activation::kForward)({gates + first, ups + first, count}, out + first);
      });
      return result;
    }
    return Activation::Of(Widen(gate)).mul_(Widen(up)).to(gate.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    if (const CudaTable* cuda = CudaKernelsOf(saved[0])) {
      const auto made =
          GatedGradientsByCuda(*cuda, {Activation::kGating, saved[0], saved[1]}, grads[0]);
      return {made.first, made.second};
    }
    if (const KernelSet* kernels = GatedKernels(saved[0], saved[1])) {
      return GradientsByKernels(*kernels, saved, grads[0].contiguous());
    }
    const at::Tensor gate = Widen(saved[0]), up = Widen(saved[1]), grad = Widen(grads[0]);
    const at::Tensor grad_gate = Activation::Gradient(grad * up, gate);
    const at::Tensor grad_up = Activation::Of(gate).mul_(grad);
    return {grad_gate.to(saved[0].scalar_type()), grad_up.to(saved[1].scalar_type())};
  }

  static variable_list GradientsByKernels(const KernelSet& kernels, const variable_list& saved,
                                          const at::Tensor& grad) {
    at::Tensor grad_gate = at::empty_like(grad), grad_up = at::empty_like(grad);
    const float* const gates = saved[0].const_data_ptr<float>();
    const float* const ups = saved[1].const_data_ptr<float>();
    const float* const grads = grad.const_data_ptr<float>();
    float* const gate_out = grad_gate.mutable_data_ptr<float>();
    float* const up_out = grad_up.mutable_data_ptr<float>();
    ForEachBlock(grad.numel(), [&](int64_t first, int64_t count) {
      (kernels.*Activation::kBackward)({gates + first, ups + first, count},
                                       {grads + first, gate_out + first, up_out + first});
    });
    return {grad_gate, grad_up};
  }
};

template <class Activation>
at::Tensor GatedProduct(const at::Tensor& gate, const at::Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes(), "a gated product of gate ", gate.sizes(), " and up ",
              up.sizes());
  return GatedFunction<Activation>::apply(gate, up);
}

}  // namespace

at::Tensor Geglu(const at::Tensor& gate, const at::Tensor& up) {
  return GatedProduct<GeluTanh>(gate, up);
}
at::Tensor Swiglu(const at::Tensor& gate, const at::Tensor& up) {
  return GatedProduct<Silu>(gate, up);
}

}  // namespace fpo::train
