// Each kernel of every instruction set that this processor has, against the formula in float64.

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "train/kernels/kernel_set.h"

namespace fpo::train {
namespace {

std::vector<const char*> Capabilities() {
  std::vector<const char*> names = {"DEFAULT"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) names.push_back("AVX2");
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    names.push_back("AVX512");
  }
  return names;
}

class Kernels : public ::testing::TestWithParam<const char*> {
 protected:
  const KernelSet& kernels_ = KernelsFor(GetParam());
};
INSTANTIATE_TEST_SUITE_P(All, Kernels, ::testing::ValuesIn(Capabilities()));

at::Tensor Wide(const at::Tensor& x) { return x.to(at::kDouble); }

TEST_P(Kernels, AreTheOnesAskedFor) { EXPECT_STREQ(kernels_.name, GetParam()); }

// Widths around one and several vectors, and around the sums that are kept apart.
TEST_P(Kernels, MeasureLogitsWithAndWithoutACap) {
  for (const int64_t count : {1, 5, 16, 67, 1024, 1031, 5000}) {
    for (const float cap : {0.0F, 3.0F, 30.0F}) {
      at::manual_seed(count);
      const at::Tensor raw = at::randn({count}) * 20;
      at::Tensor logits = raw.clone();
      const LogitSums sums = kernels_.measure_logits({logits.data_ptr<float>(), count, cap});
      const at::Tensor capped =
          cap > 0 ? (Wide(raw) / static_cast<double>(cap)).tanh() * static_cast<double>(cap)
                  : Wide(raw);
      EXPECT_LT(RelativeError(Wide(logits), capped), 4e-7) << count << " " << cap;
      const at::Tensor log_p = capped.log_softmax(0);
      EXPECT_NEAR(sums.log_normalizer, capped.logsumexp(0).item<double>(), 3e-6);
      EXPECT_NEAR(sums.entropy, -(log_p.exp() * log_p).sum().item<double>(), 3e-5) << count;
    }
  }
}

// Below its threshold, and below 0 under a negative threshold, a code is 0.
TEST_P(Kernels, AddCodesOfAnSae) {
  for (const int64_t count : {1, 16, 37, 128}) {
    at::manual_seed(count);
    const at::Tensor product = at::randn({count}), bias = at::randn({count}) * 0.3;
    const at::Tensor threshold = at::randn({count}) * 0.5, before = at::randn({count});
    at::Tensor sums = before.clone();
    kernels_.add_codes(
        {product.data_ptr<float>(), bias.data_ptr<float>(), threshold.data_ptr<float>(), count},
        sums.data_ptr<float>());
    const at::Tensor pre = product + bias;
    const at::Tensor codes = pre * pre.gt(threshold) * pre.gt(0);
    EXPECT_LT((sums - (before + codes)).abs().max().item<float>(), 1e-6) << count;
  }
  at::Tensor sums = at::zeros({1});
  const float nan = std::numeric_limits<float>::quiet_NaN(), zero = 0;
  kernels_.add_codes({&nan, &zero, &zero, 1}, sums.data_ptr<float>());
  EXPECT_TRUE(std::isnan(sums.item<float>()));
}

TEST_P(Kernels, LogitsKeepNaNAndHugeValues) {
  at::Tensor logits = at::tensor({1.0F, std::numeric_limits<float>::quiet_NaN(), 2.0F});
  EXPECT_TRUE(std::isnan(kernels_.measure_logits({logits.data_ptr<float>(), 3, 0}).log_normalizer));
  at::Tensor huge = at::tensor({1000.0F, -1000.0F});
  const LogitSums sums = kernels_.measure_logits({huge.data_ptr<float>(), 2, 0});
  EXPECT_EQ(sums.log_normalizer, 1000);
  EXPECT_EQ(sums.entropy, 0);
}

TEST_P(Kernels, LogitGradientsFollowTheFormula) {
  for (const int64_t count : {3, 16, 1031}) {
    for (const float cap : {0.0F, 3.0F}) {
      at::manual_seed(count);
      at::Tensor logits = at::randn({count}) * 2, reference = at::randn({count}) * 2;
      const float lse = static_cast<float>(
          kernels_.measure_logits({logits.data_ptr<float>(), count, cap}).log_normalizer);
      const float other = static_cast<float>(
          kernels_.measure_logits({reference.data_ptr<float>(), count, 0}).log_normalizer);
      const at::Tensor z = Wide(logits), p = (z - lse).exp();
      at::Tensor expected = (0.7 - -1.3) * p;
      expected[count - 1] += -1.3;
      at::Tensor with_reference = expected - 0.7 * (Wide(reference) - other).exp();
      const at::Tensor slope =
          cap > 0 ? 1 - (z / static_cast<double>(cap)).square() : at::ones_like(z);
      at::Tensor plain = logits.clone();
      const LogitGradient gradient = {count - 1, lse, -1.3F, 0.7F, nullptr, 0};
      kernels_.logits_to_gradient({plain.data_ptr<float>(), count, cap}, gradient);
      EXPECT_LT(RelativeError(Wide(plain), expected * slope), 1e-6) << count;
      LogitGradient both = gradient;
      both.reference = reference.data_ptr<float>();
      both.reference_log_normalizer = other;
      kernels_.logits_to_gradient({logits.data_ptr<float>(), count, cap}, both);
      EXPECT_LT(RelativeError(Wide(logits), with_reference * slope), 1e-6) << count;
    }
  }
}

TEST_P(Kernels, KlFollowsTheFormulaAndIsZeroToItself) {
  for (const int64_t count : {3, 16, 1031}) {
    at::manual_seed(count);
    at::Tensor a = at::randn({count}), b = at::randn({count});
    const auto lse = [&](at::Tensor& x) {
      return static_cast<float>(
          kernels_.measure_logits({x.data_ptr<float>(), count, 0}).log_normalizer);
    };
    const at::Tensor log_a = Wide(a).log_softmax(0), log_b = Wide(b).log_softmax(0);
    const LogitPair pair = {a.data_ptr<float>(), b.data_ptr<float>(), count, lse(a), lse(b)};
    EXPECT_NEAR(kernels_.kl_of_logits(pair), (log_b.exp() * (log_b - log_a)).sum().item<double>(),
                2e-6);
    const LogitPair same = {a.data_ptr<float>(), a.data_ptr<float>(), count, lse(a), lse(a)};
    EXPECT_EQ(kernels_.kl_of_logits(same), 0);
  }
}

TEST_P(Kernels, NormsAndTheirGradientsFollowTheFormula) {
  for (const int64_t width : {1, 2, 7, 16, 67, 68, 640}) {
    at::manual_seed(width);
    const at::Tensor x = at::randn({width}) * 3, w = at::randn({width}), dy = at::randn({width});
    at::Tensor y = at::empty({width}), dx = at::empty({width}), dw = at::ones({width});
    const double offset = width % 2 == 0 ? 1 : 0;
    const NormRow row = {x.const_data_ptr<float>(), w.const_data_ptr<float>(), width, 1e-6F,
                         static_cast<float>(offset)};
    const float rstd = kernels_.norm(row, y.mutable_data_ptr<float>());
    kernels_.norm_gradient(row, {dy.const_data_ptr<float>(), rstd, dx.mutable_data_ptr<float>(),
                                 dw.mutable_data_ptr<float>()});
    const at::Tensor wide = Wide(x);
    const at::Tensor r = (wide.square().mean() + 1e-6).rsqrt(), n = wide * r;
    const at::Tensor g = Wide(dy) * (offset + Wide(w));
    EXPECT_LT(RelativeError(Wide(y), n * (offset + Wide(w))), 1e-6) << width;
    EXPECT_LT(RelativeError(Wide(dx), r * (g - n * (g * n).mean())), 2e-6) << width;
    EXPECT_LT(RelativeError(Wide(dw), 1 + Wide(dy) * n), 1e-6) << width;
  }
}

TEST_P(Kernels, GegluFollowsItsFormula) {
  for (const int64_t count : {1, 16, 77}) {
    at::manual_seed(count);
    at::Tensor gate = at::randn({count}) * 4;
    const at::Tensor up = at::randn({count}), grad = at::randn({count});
    gate[0] = -30;  // far out, where tanh is -1
    at::Tensor out = at::empty({count}), dgate = at::empty({count}), dup = at::empty({count});
    const GluSpan span = {gate.const_data_ptr<float>(), up.const_data_ptr<float>(), count};
    kernels_.geglu(span, out.mutable_data_ptr<float>());
    kernels_.geglu_gradient(span, {grad.const_data_ptr<float>(), dgate.mutable_data_ptr<float>(),
                                   dup.mutable_data_ptr<float>()});
    const at::Tensor gelu = at::gelu(Wide(gate), "tanh");
    EXPECT_LT(RelativeError(Wide(out), gelu * Wide(up)), 2e-6);
    EXPECT_LT(RelativeError(Wide(dup), gelu * Wide(grad)), 2e-6);
    EXPECT_LT(
        RelativeError(Wide(dgate), at::gelu_backward(Wide(grad) * Wide(up), Wide(gate), "tanh")),
        3e-6);
  }
}

// Each value for itself: a sum over all of them hides a bad sigmoid of a far negative gate.
TEST_P(Kernels, SwigluFollowsItsFormula) {
  for (const int64_t count : {1, 16, 77}) {
    at::manual_seed(count);
    at::Tensor gate = at::randn({count}) * 4;
    const at::Tensor up = at::randn({count}), grad = at::randn({count});
    gate[0] = -20;
    gate[count - 1] = 25;
    at::Tensor out = at::empty({count}), dgate = at::empty({count}), dup = at::empty({count});
    const GluSpan span = {gate.const_data_ptr<float>(), up.const_data_ptr<float>(), count};
    kernels_.swiglu(span, out.mutable_data_ptr<float>());
    kernels_.swiglu_gradient(span, {grad.const_data_ptr<float>(), dgate.mutable_data_ptr<float>(),
                                    dup.mutable_data_ptr<float>()});
    const at::Tensor silu = Wide(gate) * at::sigmoid(Wide(gate));
    const auto close = [](const at::Tensor& made, const at::Tensor& expected) {
      return at::allclose(Wide(made), expected, 2e-6, 1e-7);
    };
    EXPECT_TRUE(at::allclose(Wide(out), silu * Wide(up), 1e-6, 0)) << count;
    EXPECT_TRUE(at::allclose(Wide(dup), silu * Wide(grad), 1e-6, 0)) << count;
    EXPECT_TRUE(close(dgate, at::silu_backward(Wide(grad) * Wide(up), Wide(gate)))) << count;
  }
  const float inf = std::numeric_limits<float>::infinity(), one = 1;
  float out[3];
  const float gates[3] = {std::numeric_limits<float>::quiet_NaN(), -1000, inf};
  for (int i = 0; i < 3; ++i) kernels_.swiglu({&gates[i], &one, 1}, &out[i]);
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_NEAR(out[1], 0, 1e-30);
  EXPECT_EQ(out[2], inf);
}

// Generation computes in place, and expects a value's bits not to depend on where it stands.
TEST_P(Kernels, InPlaceAndInTailsTheBitsAreTheSame) {
  at::manual_seed(3);
  for (const int64_t count : {19, 37, 64, 256}) {
    const at::Tensor x = at::randn({count}), weight = at::randn({count}),
                     even = at::full({count}, 0.37);
    at::Tensor out = at::empty({count}), own = x.clone(), same = even.clone();
    kernels_.norm({x.data_ptr<float>(), weight.data_ptr<float>(), count, 1e-6F},
                  out.data_ptr<float>());
    kernels_.norm({own.data_ptr<float>(), weight.data_ptr<float>(), count, 1e-6F},
                  own.data_ptr<float>());
    EXPECT_TRUE(at::equal(own, out));
    own = x.clone();
    kernels_.geglu({x.data_ptr<float>(), weight.data_ptr<float>(), count}, out.data_ptr<float>());
    kernels_.geglu({own.data_ptr<float>(), weight.data_ptr<float>(), count}, own.data_ptr<float>());
    EXPECT_TRUE(at::equal(own, out));
    own = x.clone();
    kernels_.swiglu({x.data_ptr<float>(), weight.data_ptr<float>(), count}, out.data_ptr<float>());
    kernels_.swiglu({own.data_ptr<float>(), weight.data_ptr<float>(), count},
                    own.data_ptr<float>());
    EXPECT_TRUE(at::equal(own, out));
    const at::Tensor ones = at::ones({count});
    kernels_.geglu({same.data_ptr<float>(), ones.data_ptr<float>(), count}, same.data_ptr<float>());
    EXPECT_TRUE(at::equal(same, same[0].expand({count})));
    // Two heads of `count` values each.
    at::Tensor heads = at::randn({2, 2 * count}), turned = at::empty_like(heads);
    const RopeRow row = {
        heads.data_ptr<float>(), x.data_ptr<float>(), weight.data_ptr<float>(), 2, count, 1};
    kernels_.rope(row, turned.data_ptr<float>());
    kernels_.rope(row, heads.data_ptr<float>());
    EXPECT_TRUE(at::equal(heads, turned));
  }
}

TEST_P(Kernels, RotationsAreUndoneByTheirInverse) {
  for (const int64_t half : {3, 16, 32}) {
    at::manual_seed(half);
    const at::Tensor x = at::randn({2 * 2 * half}), angle = at::randn({half});
    const at::Tensor cos = angle.cos(), sin = angle.sin();
    at::Tensor turned = at::empty_like(x), back = at::empty_like(x);
    RopeRow row = {x.const_data_ptr<float>(),
                   cos.const_data_ptr<float>(),
                   sin.const_data_ptr<float>(),
                   2,
                   half,
                   1};
    kernels_.rope(row, turned.mutable_data_ptr<float>());
    const at::Tensor low = x.narrow(0, 2 * half, half), high = x.narrow(0, 3 * half, half);
    EXPECT_LT(RelativeError(turned.narrow(0, 2 * half, half), low * cos - high * sin), 1e-6);
    EXPECT_LT(RelativeError(turned.narrow(0, 3 * half, half), high * cos + low * sin), 1e-6);
    row.x = turned.const_data_ptr<float>();
    row.sign = -1;
    kernels_.rope(row, back.mutable_data_ptr<float>());
    EXPECT_LT(RelativeError(back, x), 1e-6);
  }
}

at::Tensor Updated(const KernelSet& kernels, bool adam, const at::Tensor& w, const at::Tensor& g) {
  at::Tensor weight = w.clone(), m = at::full_like(w, 0.25), v = at::full_like(w, 0.5);
  const UpdateSpan span = {weight.mutable_data_ptr<float>(), m.mutable_data_ptr<float>(),
                           v.mutable_data_ptr<float>(), g.const_data_ptr<float>(), w.numel()};
  if (adam) {
    kernels.adam(span, {0.5F, 0.125F, 0.25F, 0.1F, 0.9F, 0.2F, 0.3F, 1.5F, 1e-2F});
  } else {
    kernels.rms_prop(span, {0.5F, 0.125F, 0.9F, 0.2F, 0.3F, 1e-2F});
  }
  return at::stack({weight, adam ? m : at::zeros_like(m), v}).to(at::kDouble);
}

TEST_P(Kernels, UpdatesFollowTheirFormulas) {
  for (const int64_t count : {1, 16, 77}) {
    at::manual_seed(count);
    const at::Tensor w = at::randn({count}), gradient = at::randn({count});
    const at::Tensor g = 0.5 * Wide(gradient) + 0.125 * Wide(w);
    const at::Tensor m = 0.25 + 0.1 * (g - 0.25);
    at::Tensor v = 0.9 * 0.5 + 0.2 * g.square();
    const at::Tensor adam = 0.75 * Wide(w) - 0.3 * m / (1.5 * v.sqrt() + 1e-2);
    EXPECT_LT(RelativeError(Updated(kernels_, true, w, gradient), at::stack({adam, m, v})), 1e-6);
    const at::Tensor rms = Wide(w) - 0.3 * g / (v.sqrt() + 1e-2);
    EXPECT_LT(RelativeError(Updated(kernels_, false, w, gradient),
                            at::stack({rms, at::zeros_like(m), v})),
              1e-6);
  }
}

TEST_P(Kernels, SquaresAreSummedInFloat64) {
  const at::Tensor huge = at::full({77}, 1e30F), many = at::full({(1 << 20) + 3}, 1.0F);
  EXPECT_NEAR(kernels_.sum_of_squares(huge.const_data_ptr<float>(), 77) / 77e60, 1, 1e-6);
  EXPECT_EQ(kernels_.sum_of_squares(many.const_data_ptr<float>(), many.numel()), (1 << 20) + 3);
}

// The softmax of a prompt of 2 rows and responses of 3 and 70 rows, one query at a time.
TEST_P(Kernels, AttentionSeesPromptAndOwnResponse) {
  constexpr int64_t kPrompt = 2, kRows = 75, kHeads = 2, kWidth = 5;
  const std::vector<int64_t> responses = {3, 70};
  at::manual_seed(1);
  const at::Tensor q = at::randn({kRows, kHeads, kWidth}), k = at::randn({kRows, 1, kWidth});
  const at::Tensor v = at::randn({kRows, 1, kWidth});
  for (const int64_t window : {0, 4}) {
    at::Tensor z = at::zeros_like(q), normalizer = at::zeros({kRows, kHeads});
    AttentionTask task = {{kHeads, 1, kWidth, 0.4F, 1.5F, window},
                          {0, kPrompt, responses.data(), 2, 0, kPrompt},
                          0,
                          nullptr};
    at::Tensor scratch = at::empty({kernels_.attention_scratch(task.shape, task.group)});
    task.scratch = scratch.mutable_data_ptr<float>();
    kernels_.attention(
        task, {q.const_data_ptr<float>(), k.const_data_ptr<float>(), v.const_data_ptr<float>(),
               z.mutable_data_ptr<float>(), normalizer.mutable_data_ptr<float>(), nullptr, nullptr,
               nullptr, nullptr});
    for (const int64_t row : {0, 1, 2, 4, 5, 40, 74}) {
      std::vector<int64_t> seen;  // rows in the order of their positions
      for (int64_t i = 0; i < std::min(row + 1, kPrompt); ++i) seen.push_back(i);
      for (int64_t i = row < 5 ? 2 : 5; row >= kPrompt && i <= row; ++i) seen.push_back(i);
      if (window > 0 && static_cast<int64_t>(seen.size()) > window) {
        seen.erase(seen.begin(), seen.end() - window);
      }
      const at::Tensor index = at::tensor(seen, at::kLong);
      const at::Tensor keys = Wide(k.select(1, 0).index_select(0, index));
      for (int64_t head = 0; head < kHeads; ++head) {
        const at::Tensor scores = (at::mv(keys, Wide(q[row][head])) * 0.4 / 1.5).tanh() * 1.5;
        const at::Tensor expected =
            at::mv(Wide(v.select(1, 0).index_select(0, index)).t(), scores.softmax(0));
        EXPECT_LT(RelativeError(Wide(z[row][head]), expected), 1e-6) << row << " " << window;
        EXPECT_NEAR(normalizer[row][head].item<double>(), scores.logsumexp(0).item<double>(), 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace fpo::train
