#include "train/cuda/cuda_check.h"

#include <ATen/ATen.h>

#include <cmath>

#include "absl/strings/str_format.h"
#include "train/cuda/cuda_library.h"
#include "train/cuda/cuda_ops.h"

namespace fpo::train {
namespace {

constexpr double kFloatBound = 1e-5, kBFloat16Bound = 1.3e-2;

at::Tensor Double(const at::Tensor& x) { return x.to(at::kDouble); }

class KernelChecks {
 public:
  KernelChecks(const CudaTable& table, at::Device device) : table_(table), device_(device) {}

  void Norm(at::ScalarType type) {
    const at::Tensor x = Random({37, 2304}, type), w = Random({2304}, type);
    const at::Tensor grad = Random({37, 2304}, type);
    const at::Tensor rstd = (Double(x).square().mean(-1, true) + 1e-6).rsqrt();
    const at::Tensor normed = Double(x) * rstd, g = Double(grad) * (1 + Double(w));
    const NormedOnCuda made = NormByCuda(table_, {x, w, 1e-6, {}});
    Add("norm", type, made.y, normed * (1 + Double(w)));
    const NormedOnCuda factors = NormByCuda(table_, {x, w, 1e-6, {}, 0});
    Add("norm", type, factors.y, normed * Double(w));
    const auto back = NormGradientsByCuda(table_, {x, w, 1e-6, {}}, made.rstd, grad);
    Add("norm_gradient", type, back.x, rstd * (g - normed * (g * normed).mean(-1, true)));
    Add("norm_gradient", at::kFloat, back.weight, (Double(grad) * normed).sum(0));
    const auto of_factors = NormGradientsByCuda(table_, {x, w, 1e-6, {}, 0}, made.rstd, grad);
    const at::Tensor h = Double(grad) * Double(w);
    Add("norm_gradient", type, of_factors.x, rstd * (h - normed * (h * normed).mean(-1, true)));
  }

  void Gated(at::ScalarType type) {
    const at::Tensor gate = Random({5, 1234}, type), up = Random({5, 1234}, type);
    const at::Tensor grad = Random({5, 1234}, type);
    const at::Tensor gelu = at::gelu(Double(gate), "tanh");
    Add("geglu", type, GatedByCuda(table_, {Gating::kGeluTanh, gate, up}), gelu * Double(up));
    const auto back = GatedGradientsByCuda(table_, {Gating::kGeluTanh, gate, up}, grad);
    Add("geglu_gradient", type, back.first,
        at::gelu_backward(Double(grad) * Double(up), Double(gate), "tanh"));
    Add("geglu_gradient", type, back.second, gelu * Double(grad));
    const at::Tensor silu = at::silu(Double(gate));
    Add("swiglu", type, GatedByCuda(table_, {Gating::kSilu, gate, up}), silu * Double(up));
    const auto of_silu = GatedGradientsByCuda(table_, {Gating::kSilu, gate, up}, grad);
    Add("swiglu_gradient", type, of_silu.first,
        at::silu_backward(Double(grad) * Double(up), Double(gate)));
    Add("swiglu_gradient", type, of_silu.second, silu * Double(grad));
  }

  void Rope(at::ScalarType type) {
    const at::Tensor x = Random({2, 7, 3, 256}, type), angle = Random({7, 128}, at::kFloat) * 3;
    const at::Tensor c = angle.cos().unsqueeze(1), s = angle.sin().unsqueeze(1);
    const at::Tensor low = Double(x).narrow(-1, 0, 128), high = Double(x).narrow(-1, 128, 128);
    Add("rope", type, RopeByCuda(table_, {x, angle.cos(), angle.sin(), 1}),
        at::cat({low * c - high * s, high * c + low * s}, -1));
  }

  void Logits(bool narrow) {
    const int64_t rows = 5, count = 5003;
    const double cap = 30;
    const at::Tensor raw = Random({rows, count}, at::kFloat) * 10;
    const at::Tensor target = at::arange(rows, at::device(device_).dtype(at::kLong)) * 1000;
    const at::Tensor s = Random({rows}, at::kFloat);
    const at::Tensor z = (Double(raw) / cap).tanh() * cap, log_p = z.log_softmax(1);
    const at::Tensor logits = raw.clone();
    const LogitSumsOnCuda sums = MeasureByCuda(table_, {logits, count, cap});
    Add("logits", at::kFloat, logits, z);
    Add("logits", at::kFloat, sums.log_normalizer, z.logsumexp(1));
    Add("logits", at::kFloat, sums.entropy, -(log_p.exp() * log_p).sum(1));
    const at::Tensor kl = KlByCuda(table_, {logits, logits.flip(0).contiguous(), count,
                                            sums.log_normalizer, sums.log_normalizer.flip(0)});
    const at::Tensor log_ref = log_p.flip(0);
    Add("kl", at::kFloat, kl, (log_ref.exp() * (log_ref - log_p)).sum(1));
    at::Tensor expected = log_p.exp() * -Double(s).unsqueeze(1);
    expected.scatter_add_(1, target.unsqueeze(1), Double(s).unsqueeze(1));
    const at::Tensor made = LogitGradientByCuda(
        table_, {{logits, count, cap}, target, sums.log_normalizer, s, {}, {}, {}}, narrow);
    Add("logit_gradient", narrow ? at::kBFloat16 : at::kFloat, made,
        expected * (1 - (z / cap).square()));
  }

  void Sums() {
    const at::Tensor owners =
        at::tensor({1, 1, 0, 3, 3, 3, 1}, at::kLong).to(device_).repeat({100});
    const at::Tensor rows = Random({700, 200}, at::kFloat), sums = Random({4, 200}, at::kFloat);
    const at::Tensor mask =
        owners.unsqueeze(0).eq(at::arange(4, owners.options()).unsqueeze(1)).to(at::kDouble);
    const at::Tensor expected = Double(sums) + at::mm(mask, Double(rows));
    AddRowSumsByCuda(table_, sums, owners, rows);
    Add("row_sums", at::kFloat, sums, expected);
    const at::Tensor values = rows.select(1, 0).contiguous();
    Add("response_sums", at::kFloat, ResponseSumsByCuda(table_, values, owners, 4),
        at::mv(mask, Double(values)));
    const at::Tensor total = Double(rows).square().sum();
    Add("squares", at::kFloat, SquaresByCuda(table_, rows), total);
    const auto [norm, factor] = ClipByCuda(table_, {rows, values}, 1);
    const at::Tensor both = (total + Double(values).square().sum()).sqrt();
    Add("clip", at::kFloat, norm, both);
    Add("clip", at::kFloat, factor * both, at::ones_like(both));
  }

  void Updates() {
    const at::Tensor w = Random({5000}, at::kFloat), g = Random({5000}, at::kFloat);
    const at::Tensor m = Random({5000}, at::kFloat), v = Random({5000}, at::kFloat).square();
    const at::Tensor rounded = at::empty({5000}, w.options().dtype(at::kBFloat16));
    const at::Tensor scaled = Double(g) * 0.5;
    const at::Tensor m1 = Double(m) + (scaled - Double(m)) * 0.1;
    const at::Tensor v1 = Double(v) * 0.99 + scaled.square() * 0.01;
    const at::Tensor w1 = Double(w) * 0.999 - m1 / (v1.sqrt() * 2 + 1e-3) * 0.02;
    const at::Tensor v2 = v1 * 0.9 + scaled.square() * 0.1;
    const at::Tensor w2 = w1 - scaled / (v2.sqrt() + 1e-3) * 0.02;
    CudaUpdate update = {};
    update.span = {w.mutable_data_ptr<float>(), m.mutable_data_ptr<float>(),
                   v.mutable_data_ptr<float>(), g.const_data_ptr<float>(), w.numel()};
    update.rounded = static_cast<uint16_t*>(rounded.mutable_data_ptr());
    const AdamStep adam = {0.5F, 0, 1e-3F, 0.1F, 0.99F, 0.01F, 0.02F, 2, 1e-3F};
    CallCuda(w, "adam", table_.adam, update, adam);
    Add("adam", at::kFloat, w, w1);
    Add("adam", at::kBFloat16, rounded, w1);
    const RmsPropStep step = {0.5F, 0, 0.9F, 0.1F, 0.02F, 1e-3F};
    CallCuda(w, "rms_prop", table_.rms_prop, update, step);
    Add("rms_prop", at::kFloat, w, w2);
  }

  void Nf4(at::ScalarType type) {
    const int64_t rows = 70, width = 2304, block = 64, nested_block = 256;
    const at::TensorOptions on = at::device(device_);
    const auto bytes = [&](int64_t count) {
      return at::arange(count, on.dtype(at::kLong)).mul(37).remainder(251).to(at::kByte);
    };
    const at::Tensor codes = bytes(rows * width / 2), absmax = bytes(rows * width / block);
    const at::Tensor nested = Random({absmax.numel() / nested_block + 1}, at::kFloat);
    const at::Tensor map = at::linspace(-1, 1, 256, on.dtype(at::kFloat));
    const at::Tensor values = at::linspace(-1, 1, 16, at::kFloat);
    const at::Tensor pairs = at::stack({codes.bitwise_right_shift(4), codes.bitwise_and(15)}, 1);
    const at::Tensor magnitudes =
        Double(map).index_select(0, absmax.to(at::kLong)) *
            Double(nested).repeat_interleave(nested_block).narrow(0, 0, absmax.numel()) +
        0.5;
    const at::Tensor made = at::empty({rows, width}, on.dtype(type));
    Nf4ByCuda(
        table_,
        {codes, absmax, nested, map, block, nested_block, 0.5F, values.const_data_ptr<float>()},
        made);
    Add("nf4", type, made,
        Double(values).to(device_).index_select(0, pairs.flatten().to(at::kLong)) *
            magnitudes.repeat_interleave(block));
  }

  std::vector<KernelCheck> Finish() {
    const at::Tensor errors = at::stack(errors_).cpu();  // waits once
    for (size_t i = 0; i < checks_.size(); ++i) {
      checks_[i].error = errors.const_data_ptr<double>()[i];
    }
    return checks_;
  }

 private:
  at::Tensor Random(at::IntArrayRef sizes, at::ScalarType type) const {
    return at::randn(sizes, generator_).to(type).to(device_);
  }
  void Add(const char* name, at::ScalarType type, const at::Tensor& made, const at::Tensor& by) {
    const double bound = type == at::kFloat ? kFloatBound : kBFloat16Bound;
    checks_.push_back({name, 0, bound});
    errors_.push_back(
        ((Double(made).flatten() - by.flatten()).abs() / (1 + by.flatten().abs())).max());
  }

  const CudaTable& table_;
  at::Device device_;
  at::Generator generator_ = at::globalContext().defaultGenerator(at::kCPU).clone();
  std::vector<KernelCheck> checks_;
  std::vector<at::Tensor> errors_;
};

}  // namespace

std::vector<KernelCheck> CheckCudaKernels(const CudaTable& table, c10::Device device) {
  const at::NoGradGuard no_grad;
  KernelChecks checks(table, device);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    checks.Norm(type);
    checks.Gated(type);
    checks.Rope(type);
    checks.Logits(/*narrow=*/type == at::kBFloat16);
  }
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) checks.Nf4(type);
  checks.Sums();
  checks.Updates();
  return checks.Finish();
}

std::string CudaKernelProblem(c10::Device device) {
  const CudaTable* const table = CudaLibraryTable();
  if (table == nullptr) return CudaLibraryProblem();
  for (const KernelCheck& check : CheckCudaKernels(*table, device)) {
    if (check.error <= check.bound) continue;  // NaN is not
    RefuseCudaLibrary(absl::StrFormat(
        "the kernel %s of libfpo_cuda.so is wrong on this GPU: it is off by %g, where %g is "
        "allowed; please report it",
        check.name, check.error, check.bound));
    break;
  }
  return CudaLibraryProblem();
}

}  // namespace fpo::train
