// The kernels' own arithmetic (serial_grid.h) against the formulas in float64: widths around a
// pack, a warp and a block of threads, aligned and not.

#include "train/cuda/cuda_ops.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "tests/train/cuda/serial_table.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

class CudaOps : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  at::Tensor Random(at::IntArrayRef sizes, double scale = 1) const {
    return (at::randn(sizes) * scale).to(GetParam());
  }
  // One rounding of the type and a little of float32's.
  double Bound() const { return GetParam() == at::kFloat ? 2e-6 : 4.2e-3; }

  const CudaTable& table_ = SerialCudaTable();
};
INSTANTIATE_TEST_SUITE_P(Types, CudaOps, ::testing::Values(at::kFloat, at::kBFloat16));

at::Tensor Wide(const at::Tensor& x) { return x.to(at::kDouble); }

constexpr int64_t kWidths[] = {1, 3, 8, 31, 64, 257, 640, 2304};

std::vector<std::pair<int64_t, Gating>> Gates() {
  std::vector<std::pair<int64_t, Gating>> all;
  for (const int64_t width : kWidths) {
    for (const Gating gating : {Gating::kGeluTanh, Gating::kSilu}) all.emplace_back(width, gating);
  }
  return all;
}

TEST_P(CudaOps, NormFollowsTheFormula) {
  for (const int64_t width : kWidths) {
    at::manual_seed(width);
    const at::Tensor x = Random({2, 3, width}, 3), weight = Random({width});
    const at::Tensor rstd = (Wide(x).square().mean(-1, true) + 1e-6).rsqrt();
    for (const double offset : {0.0, 1.0}) {
      const at::Tensor expected = Wide(x) * rstd * (offset + Wide(weight));
      const NormedOnCuda made = NormByCuda(table_, {x, weight, 1e-6, {}, offset});
      EXPECT_LT(RelativeError(Wide(made.y), expected), Bound()) << width;
      EXPECT_LT(RelativeError(Wide(made.rstd), rstd.flatten()), 2e-6) << width;
      // With a residual the norm is rounded before the sum, as two operators do.
      const at::Tensor base = Random({2, 3, width});
      const NormedOnCuda added = NormByCuda(table_, {x, weight, 1e-6, base, offset});
      EXPECT_TRUE(at::equal(added.y, base + made.y)) << width;
    }
  }
}

TEST_P(CudaOps, NormGradientsFollowTheFormula) {
  for (const int64_t width : kWidths) {
    for (const int64_t rows : {1, 8, 9, 37, 38}) {
      const double offset = rows % 2 == 0 ? 0 : 1;
      at::manual_seed(width + rows);
      const at::Tensor x = Random({rows, width}, 2), weight = Random({width});
      const at::Tensor grad = Random({rows, width});
      const at::Tensor wide_x = Wide(x).requires_grad_(), wide_w = Wide(weight).requires_grad_();
      const at::Tensor rstd = (wide_x.square().mean(-1, true) + 1e-6).rsqrt();
      (wide_x * rstd * (offset + wide_w)).backward(Wide(grad));
      const auto made = NormGradientsByCuda(table_, {x, weight, 1e-6, {}, offset},
                                            rstd.detach().flatten().to(at::kFloat), grad);
      EXPECT_LT(RelativeError(Wide(made.x), wide_x.grad()), 3 * Bound()) << width << " " << rows;
      EXPECT_LT(RelativeError(Wide(made.weight), wide_w.grad()), 2e-6) << width << " " << rows;
    }
  }
}

TEST_P(CudaOps, NormGradientOfMoreRowsThanPartsAddsUp) {
  at::manual_seed(5);
  const at::Tensor x = Random({5000, 4}), grad = Random({5000, 4}), weight = Random({4});
  const at::Tensor rstd = (Wide(x).square().mean(-1) + 1e-6).rsqrt().to(at::kFloat);
  const auto made = NormGradientsByCuda(table_, {x, weight, 1e-6, {}}, rstd, grad);
  const at::Tensor expected = (Wide(grad) * Wide(x) * Wide(rstd).unsqueeze(1)).sum(0);
  EXPECT_LT(RelativeError(Wide(made.weight), expected), 1e-5);
}

TEST_P(CudaOps, GatedProductsFollowTheFormula) {
  for (const auto& [width, gating] : Gates()) {
    const auto act = [silu = gating == Gating::kSilu](const at::Tensor& x) {
      return silu ? x * at::sigmoid(x) : at::gelu(x, "tanh");
    };
    at::manual_seed(width);
    // Halves of one product, whose rows are twice as long.
    const at::Tensor both = Random({3, 2 * width}, 2), grad = Random({3, width});
    const at::Tensor gate = both.narrow(1, 0, width), up = both.narrow(1, width, width);
    const at::Tensor wide_gate = Wide(gate).requires_grad_(), wide_up = Wide(up).requires_grad_();
    const at::Tensor expected = act(wide_gate) * wide_up;
    expected.backward(Wide(grad));
    const GatedOnCuda in = {gating, gate, up};
    EXPECT_LT(RelativeError(Wide(GatedByCuda(table_, in)), expected), Bound()) << width;
    const auto [of_gate, of_up] = GatedGradientsByCuda(table_, in, grad);
    EXPECT_LT(RelativeError(Wide(of_gate), wide_gate.grad()), Bound()) << width;
    EXPECT_LT(RelativeError(Wide(of_up), wide_up.grad()), Bound()) << width;
  }
}

TEST_P(CudaOps, RopeFollowsTheFormula) {
  for (const int64_t half : {1, 3, 8, 20, 128}) {
    at::manual_seed(half);
    const at::Tensor x = Random({2, 5, 3, 2 * half}), angle = at::randn({5, half}) * 3;
    const at::Tensor cos = angle.cos(), sin = angle.sin();
    const at::Tensor c = Wide(cos).unsqueeze(1), s = Wide(sin).unsqueeze(1);
    const at::Tensor low = Wide(x).narrow(-1, 0, half), high = Wide(x).narrow(-1, half, half);
    for (const float sign : {1.0F, -1.0F}) {
      const at::Tensor expected =
          at::cat({low * c - high * s * sign, high * c + low * s * sign}, -1);
      EXPECT_LT(RelativeError(Wide(RopeByCuda(table_, {x, cos, sin, sign})), expected), Bound());
    }
  }
}

struct Logits {
  at::Tensor raw, capped;  // float32, float64
  Logits(int64_t rows, int64_t count, double cap) : raw(at::randn({rows, count}) * 10) {
    capped = cap > 0 ? (Wide(raw) / cap).tanh() * cap : Wide(raw);
  }
};

TEST(CudaLogits, AreMeasuredAndCapped) {
  for (const int64_t count : {1, 5, 512, 2049, 5000}) {
    for (const double cap : {0.0, 3.0, 30.0}) {
      at::manual_seed(count);
      const Logits logits(3, count, cap);
      const at::Tensor padded = at::cat({logits.raw, at::full({3, 2}, 1e9)}, 1);
      const LogitSumsOnCuda sums = MeasureByCuda(SerialCudaTable(), {padded, count, cap});
      EXPECT_LT(RelativeError(Wide(padded.narrow(1, 0, count)), logits.capped), 4e-7);
      EXPECT_LT(RelativeError(sums.log_normalizer, logits.capped.logsumexp(1)), 1e-6) << count;
      const at::Tensor log_p = logits.capped.log_softmax(1);
      EXPECT_LT(RelativeError(sums.entropy, -(log_p.exp() * log_p).sum(1)), 5e-6) << count;
      EXPECT_TRUE(at::all(padded.narrow(1, count, 2) == 1e9).item<bool>());
    }
  }
}

TEST(CudaLogits, KeepNaNAndHugeValues) {
  const CudaTable& table = SerialCudaTable();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(MeasureByCuda(table, {at::tensor({1.0F, nan, 2.0F}).view({1, 3}), 3, 0})
                             .log_normalizer.item<float>()));
  const auto huge = MeasureByCuda(table, {at::tensor({1000.0F, -1000.0F}).view({1, 2}), 2, 0});
  EXPECT_EQ(huge.log_normalizer.item<float>(), 1000);
  EXPECT_EQ(huge.entropy.item<float>(), 0);
}

// As bfloat16 it lies over the logits that it replaces: several tiles, so that one is written where
// another was read.
TEST(CudaLogits, GradientsFollowTheFormula) {
  for (const int64_t count : {1, 7, 2050, 9000}) {
    for (const double cap : {0.0, 3.0}) {
      at::manual_seed(count);
      const int64_t rows = 4;
      const Logits own(rows, count, cap), other(rows, count, 0);
      const at::Tensor target = at::randint(count, {rows}, at::kLong);
      const at::Tensor s = at::tensor({-1.3F, 0.5F, 0.0F, 0.0F});
      const at::Tensor kappa = at::tensor({0.7F, 0.0F, -0.2F, 0.0F});
      const at::Tensor p = own.capped.softmax(1), p_ref = other.capped.softmax(1);
      at::Tensor expected = (kappa - s).unsqueeze(1) * p - kappa.unsqueeze(1) * p_ref;
      expected.scatter_add_(1, target.unsqueeze(1), Wide(s).unsqueeze(1));
      if (cap > 0) expected = expected * (1 - (own.capped / cap).square());
      for (const bool narrow : {false, true}) {
        const at::Tensor padded = at::cat({own.capped, at::full({rows, 3}, 7)}, 1).to(at::kFloat);
        const at::Tensor reference = at::cat({other.capped, at::full({rows, 3}, 9)}, 1);
        const at::Tensor gradient = LogitGradientByCuda(SerialCudaTable(),
                                                        {{padded, count, cap},
                                                         target,
                                                         own.capped.logsumexp(1),
                                                         s,
                                                         kappa,
                                                         reference.to(at::kFloat).contiguous(),
                                                         other.capped.logsumexp(1)},
                                                        narrow);
        ASSERT_EQ(gradient.scalar_type(), narrow ? at::kBFloat16 : at::kFloat);
        EXPECT_LT(RelativeError(Wide(gradient.narrow(1, 0, count)), expected), narrow ? 4e-3 : 3e-6)
            << count << " " << cap;
        EXPECT_TRUE(at::all(gradient.narrow(1, count, 3) == 0).item<bool>());
      }
    }
  }
}

TEST(CudaLogits, KlFollowsTheFormula) {
  for (const int64_t count : {2, 5, 3000}) {
    at::manual_seed(count);
    const Logits own(3, count, 0), other(3, count, 0);
    const at::Tensor log_p = own.capped.log_softmax(1), log_ref = other.capped.log_softmax(1);
    const at::Tensor kl = KlByCuda(
        SerialCudaTable(), {own.raw, other.raw, count, own.capped.logsumexp(1).to(at::kFloat),
                            other.capped.logsumexp(1).to(at::kFloat)});
    EXPECT_LT(RelativeError(kl, (log_ref.exp() * (log_ref - log_p)).sum(1)), 5e-6) << count;
  }
}

TEST_P(CudaOps, WideProductsAreNotRounded) {
  at::manual_seed(1);
  const at::Tensor a = Random({5, 40}), b = Random({40, 7});
  const at::Tensor expected = at::mm(Wide(a), Wide(b));
  EXPECT_LT(RelativeError(WideProduct(a, b), expected), 2e-6);
  const at::Tensor sum = at::ones({5, 7});
  AddWideProduct(sum, a, b);
  EXPECT_LT(RelativeError(sum, expected + 1), 2e-6);
}

}  // namespace
}  // namespace fpo::train
