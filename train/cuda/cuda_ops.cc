#include "train/cuda/cuda_ops.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "train/cuda/cuda_library.h"

namespace fpo::train {
namespace {

NumberType TypeOf(const at::Tensor& x) {
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16,
              "the CUDA kernels have no ", x.scalar_type());
  return x.scalar_type() == at::kFloat ? NumberType::kFloat32 : NumberType::kBFloat16;
}

template <class T>
const T* Read(const at::Tensor& x) {
  return x.defined() ? x.const_data_ptr<T>() : nullptr;
}
template <class T>
T* Written(const at::Tensor& x) {
  return x.defined() ? x.mutable_data_ptr<T>() : nullptr;
}

at::Tensor AsFloats(const at::Tensor& x) { return x.defined() ? x.to(at::kFloat).contiguous() : x; }

at::TensorOptions FloatOn(const at::Tensor& x) {
  return at::TensorOptions().dtype(at::kFloat).device(x.device());
}

// Numbers from one row to the next of x seen as a matrix of rows of its last dimension, whose
// numbers lie side by side; 0 when there is no such distance.
int64_t RowStride(const at::Tensor& x) {
  if (x.stride(-1) != 1 && x.size(-1) != 1) return 0;
  int64_t expected = 0, stride = x.size(-1);
  for (int64_t i = x.dim() - 2; i >= 0; --i) {
    if (x.size(i) == 1) continue;
    if (expected == 0) {
      stride = x.stride(i);
    } else if (x.stride(i) != expected) {
      return 0;
    }
    expected = x.stride(i) * x.size(i);
  }
  return stride >= x.size(-1) ? stride : 0;
}
at::Tensor InRows(const at::Tensor& x) { return RowStride(x) > 0 ? x : x.contiguous(); }

}  // namespace

NormedOnCuda NormByCuda(const CudaTable& table, const NormOnCuda& in) {
  const at::Tensor x = in.x.contiguous(), weight = in.weight.contiguous();
  const at::Tensor residual = in.residual.defined() ? in.residual.contiguous() : at::Tensor();
  TORCH_CHECK(weight.scalar_type() == x.scalar_type() && weight.numel() == x.size(-1) &&
                  (!residual.defined() ||
                   (residual.sizes() == x.sizes() && residual.scalar_type() == x.scalar_type())),
              "NormByCuda: weight ", weight.sizes(), " and residual for ", x.sizes());
  CudaNorm call = {};
  call.type = TypeOf(x);
  call.width = x.size(-1);
  call.rows = x.numel() / std::max<int64_t>(1, call.width);
  call.eps = static_cast<float>(in.eps);
  call.offset = static_cast<float>(in.offset);
  const NormedOnCuda made = {at::empty_like(x), at::empty({call.rows}, FloatOn(x))};
  call.x = x.const_data_ptr();
  call.weight = weight.const_data_ptr();
  call.residual = residual.defined() ? residual.const_data_ptr() : nullptr;
  call.y = made.y.mutable_data_ptr();
  call.rstd = Written<float>(made.rstd);
  if (call.rows > 0) CallCuda(x, "norm", table.norm, call);
  return made;
}

NormGradientsOnCuda NormGradientsByCuda(const CudaTable& table, const NormOnCuda& in,
                                        const at::Tensor& rstd, const at::Tensor& grad_y) {
  const at::Tensor x = in.x.contiguous(), weight = in.weight.contiguous();
  const at::Tensor grad = grad_y.contiguous();
  TORCH_CHECK(grad.sizes() == x.sizes() && grad.scalar_type() == x.scalar_type() &&
                  weight.scalar_type() == x.scalar_type(),
              "NormGradientsByCuda: gradient ", grad.sizes(), " of ", x.sizes());
  CudaNormGradient call = {};
  call.type = TypeOf(x);
  call.width = x.size(-1);
  call.rows = x.numel() / std::max<int64_t>(1, call.width);
  call.offset = static_cast<float>(in.offset);
  const at::Tensor parts = at::empty({CudaNormParts(call.rows), call.width}, FloatOn(x));
  const NormGradientsOnCuda made = {at::empty_like(x), at::empty({call.width}, FloatOn(x))};
  call.x = x.const_data_ptr();
  call.weight = weight.const_data_ptr();
  call.grad = grad.const_data_ptr();
  call.rstd = Read<float>(rstd);
  call.grad_x = made.x.mutable_data_ptr();
  call.parts = Written<float>(parts);
  call.grad_weight = Written<float>(made.weight);
  CallCuda(x, "norm_gradient", table.norm_gradient, call);  // without rows: the weight's is 0
  return made;
}

at::Tensor GatedByCuda(const CudaTable& table, const GatedOnCuda& in) {
  const at::Tensor gate = InRows(in.gate), up = InRows(in.up);
  TORCH_CHECK(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type(),
              "GatedByCuda: gate ", gate.sizes(), ", up ", up.sizes());
  const at::Tensor out = at::empty(gate.sizes(), gate.options());
  CudaGated call = {};
  call.type = TypeOf(gate);
  call.gating = in.gating;
  call.gate = gate.const_data_ptr();
  call.up = up.const_data_ptr();
  call.out = out.mutable_data_ptr();
  call.width = call.out_stride = gate.size(-1);
  call.rows = gate.numel() / std::max<int64_t>(1, call.width);
  call.gate_stride = RowStride(gate);
  call.up_stride = RowStride(up);
  if (call.rows > 0) CallCuda(gate, "gated", table.gated, call);
  return out;
}

std::pair<at::Tensor, at::Tensor> GatedGradientsByCuda(const CudaTable& table,
                                                       const GatedOnCuda& in,
                                                       const at::Tensor& grad_rows) {
  const at::Tensor gate = InRows(in.gate), up = InRows(in.up), grad = InRows(grad_rows);
  TORCH_CHECK(gate.sizes() == grad.sizes() && gate.scalar_type() == grad.scalar_type(),
              "GatedGradientsByCuda: gate ", gate.sizes(), ", gradient ", grad.sizes());
  const at::Tensor of_gate = at::empty(gate.sizes(), gate.options());
  const at::Tensor of_up = at::empty(gate.sizes(), gate.options());
  CudaGatedGradient call = {};
  call.type = TypeOf(gate);
  call.gating = in.gating;
  call.gate = gate.const_data_ptr();
  call.up = up.const_data_ptr();
  call.grad = grad.const_data_ptr();
  call.grad_gate = of_gate.mutable_data_ptr();
  call.grad_up = of_up.mutable_data_ptr();
  call.width = call.out_stride = gate.size(-1);
  call.rows = gate.numel() / std::max<int64_t>(1, call.width);
  call.gate_stride = RowStride(gate);
  call.up_stride = RowStride(up);
  call.grad_stride = RowStride(grad);
  if (call.rows > 0) CallCuda(gate, "gated_gradient", table.gated_gradient, call);
  return {of_gate, of_up};
}

at::Tensor RopeByCuda(const CudaTable& table, const RopeOnCuda& in) {
  const at::Tensor x = in.x.contiguous(), cos = in.cos.contiguous(), sin = in.sin.contiguous();
  TORCH_CHECK(x.dim() == 4 && cos.scalar_type() == at::kFloat && cos.sizes() == sin.sizes() &&
                  cos.size(0) == x.size(1) && 2 * cos.size(1) == x.size(3),
              "RopeByCuda: table ", cos.sizes(), " for ", x.sizes());
  const at::Tensor out = at::empty_like(x);
  CudaRope call = {};
  call.type = TypeOf(x);
  call.x = x.const_data_ptr();
  call.out = out.mutable_data_ptr();
  call.cos = Read<float>(cos);
  call.sin = Read<float>(sin);
  call.tokens = x.size(0) * x.size(1);
  call.heads = x.size(2);
  call.half = cos.size(1);
  call.seq = x.size(1);
  call.x_stride = x.size(2) * x.size(3);
  call.sign = in.sign;
  if (x.numel() > 0) CallCuda(x, "rope", table.rope, call);
  return out;
}

at::Tensor WideProduct(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() == at::kFloat) return at::mm(a, b);
  if (a.is_cuda()) return at::mm(a, b, at::kFloat);
  return at::mm(a.to(at::kFloat), b.to(at::kFloat));
}

void AddWideProduct(const at::Tensor& added, const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = added;
  if (a.scalar_type() == at::kFloat) {
    out.addmm_(a, b);
  } else if (a.is_cuda()) {
    at::addmm_out(out, out, a, b, at::kFloat);
  } else {
    out.addmm_(a.to(at::kFloat), b.to(at::kFloat));
  }
}

LogitSumsOnCuda MeasureByCuda(const CudaTable& table, const LogitsOnCuda& in) {
  TORCH_CHECK(in.logits.is_contiguous(), "MeasureByCuda: logits with gaps");
  const int64_t rows = in.logits.size(0);
  const LogitSumsOnCuda made = {at::empty({rows}, FloatOn(in.logits)),
                                at::empty({rows}, FloatOn(in.logits))};
  const CudaLogits call = {Written<float>(in.logits),   rows,
                           in.logits.size(1),           in.count,
                           static_cast<float>(in.cap),  Written<float>(made.log_normalizer),
                           Written<float>(made.entropy)};
  if (rows > 0) CallCuda(in.logits, "logits", table.logits, call);
  return made;
}

at::Tensor KlByCuda(const CudaTable& table, const KlOnCuda& in) {
  TORCH_CHECK(in.policy.is_contiguous() && in.reference.is_contiguous() &&
                  in.policy.sizes() == in.reference.sizes(),
              "KlByCuda: logits ", in.policy.sizes(), " and ", in.reference.sizes());
  const at::Tensor kl = at::empty({in.policy.size(0)}, FloatOn(in.policy));
  const CudaKl call = {Read<float>(in.policy),
                       Read<float>(in.reference),
                       in.policy.size(0),
                       in.policy.size(1),
                       in.count,
                       Read<float>(in.log_normalizer),
                       Read<float>(in.reference_log_normalizer),
                       Written<float>(kl)};
  if (kl.numel() > 0) CallCuda(in.policy, "kl", table.kl, call);
  return kl;
}

at::Tensor LogitGradientByCuda(const CudaTable& table, const LogitGradientOnCuda& gradient,
                               bool narrow) {
  const auto& [in, target_rows, normalizer_rows, s_rows, kappa_rows, reference, other] = gradient;
  TORCH_CHECK(in.logits.is_contiguous() &&
                  (!reference.defined() ||
                   (reference.is_contiguous() && reference.sizes() == in.logits.sizes())),
              "LogitGradientByCuda: logits with gaps");
  const int64_t rows = in.logits.size(0), vocab = in.logits.size(1);
  const at::Tensor target = target_rows.contiguous(), normalizer = AsFloats(normalizer_rows);
  const at::Tensor s = s_rows.defined() ? AsFloats(s_rows) : at::zeros({rows}, FloatOn(in.logits));
  const at::Tensor kappa = AsFloats(kappa_rows), other_normalizer = AsFloats(other);
  const CudaLogitGradient call = {Written<float>(in.logits),
                                  rows,
                                  vocab,
                                  in.count,
                                  static_cast<float>(in.cap),
                                  Read<int64_t>(target),
                                  Read<float>(normalizer),
                                  Read<float>(s),
                                  Read<float>(kappa),
                                  Read<float>(reference),
                                  Read<float>(other_normalizer),
                                  narrow};
  if (rows > 0) CallCuda(in.logits, "logit_gradient", table.logit_gradient, call);
  return narrow ? in.logits.view(at::kBFloat16).narrow(1, 0, vocab) : in.logits;
}

void Nf4ByCuda(const CudaTable& table, const Nf4OnCuda& in, const at::Tensor& into) {
  const bool nested = in.nested_absmax.defined();
  TORCH_CHECK(into.is_contiguous() && in.codes.numel() == (into.numel() + 1) / 2 &&
                  in.absmax.numel() == (into.numel() + in.block - 1) / in.block &&
                  in.block % 32 == 0,
              "Nf4ByCuda: ", in.codes.sizes(), " in blocks of ", in.block, " into ", into.sizes());
  CudaNf4 call = {};
  call.type = TypeOf(into);
  call.codes = Read<uint8_t>(in.codes);
  call.absmax = Read<float>(nested ? in.nested_absmax : in.absmax);
  call.absmax_codes = nested ? Read<uint8_t>(in.absmax) : nullptr;
  call.nested_map = Read<float>(in.nested_map);
  call.out = into.mutable_data_ptr();
  call.count = into.numel();
  call.block = in.block;
  call.nested_block = in.nested_block;
  call.offset = in.offset;
  std::copy_n(in.values, 16, call.values);
  if (call.count > 0) CallCuda(into, "nf4", table.nf4, call);
}

}  // namespace fpo::train
