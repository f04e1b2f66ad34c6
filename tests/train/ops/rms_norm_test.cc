#include "train/ops/rms_norm.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

TEST(RmsNorm, GivesThePublishedValues) {
  const at::Tensor y = RmsNorm(at::tensor({0.1f, 0.2f}), at::zeros({2}), 1e-6);
  EXPECT_NEAR(y[0].item<float>(), 0.6324429f, 1e-6);
  EXPECT_NEAR(y[1].item<float>(), 1.2648858f, 1e-6);
}

TEST(RmsNorm, HasExactGradients) {
  at::manual_seed(1);
  for (const double offset : {1.0, 0.0}) {
    ExpectGradientsMatchDifferences(
        [offset](const auto& in) {
          return RmsNorm(in[0], in[1], {1e-6, offset});
        },
        {at::randn({2, 3, 5}, at::kDouble), at::randn({5}, at::kDouble)});
  }
}

// The norm of Llama and Qwen, in every type and, of float32, by the kernels and without them.
TEST(RmsNorm, WithoutAnOffsetMultipliesByTheWeight) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    at::manual_seed(4);
    const at::Tensor x = at::randn({7, 40}).to(type).requires_grad_();
    const at::Tensor w = at::randn({40}).to(type).requires_grad_();
    const at::Tensor residual = at::randn({7, 40}).to(type), grad = at::randn({7, 40}).to(type);
    const at::Tensor wide = x.detach().to(at::kDouble).requires_grad_();
    const at::Tensor weight = w.detach().to(at::kDouble).requires_grad_();
    const at::Tensor expected = wide * (wide.square().mean(-1, true) + 1e-6).rsqrt() * weight;
    expected.backward(grad.to(at::kDouble));
    const NormOptions options(1e-6, 0);
    const at::Tensor made = RmsNorm(x, w, options);
    made.backward(grad);
    const double bound = type == at::kBFloat16 ? 5e-3 : type == at::kFloat ? 2e-6 : 1e-14;
    EXPECT_LT(RelativeError(made, expected), bound);
    EXPECT_LT(RelativeError(x.grad(), wide.grad()), bound);
    EXPECT_LT(RelativeError(w.grad(), weight.grad()), bound);
    EXPECT_TRUE(at::equal(AddRmsNorm(residual, x, w, options), residual + made));
  }
}

TEST(RmsNorm, MultipliesByOnePlusWeightBeforeItRounds) {
  // 1 + 2^-9 is not a bfloat16: rounding the factor first would lose the weight.
  const at::Tensor weight = at::full({1}, 0.001953125, at::kBFloat16);
  const at::Tensor x = at::full({1, 1}, 1.0, at::kBFloat16);
  const at::Tensor scaled = RmsNorm(x, weight, /*eps=*/0);
  const at::Tensor exact = at::full({1, 1}, 1.001953125).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(scaled, exact));
  // The whole row in float32, rounded once.
  at::manual_seed(2);
  const at::Tensor rows = at::randn({4, 64}).to(at::kBFloat16);
  const at::Tensor w = at::randn({64}).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(RmsNorm(rows, w, 1e-6),
                        RmsNorm(rows.to(at::kFloat), w.to(at::kFloat), 1e-6).to(at::kBFloat16)));
}

TEST(RmsNorm, IsAddedToAResidual) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    at::manual_seed(3);
    const auto leaf = [&](at::IntArrayRef sizes) {
      return at::randn(sizes).to(type).requires_grad_();
    };
    const at::Tensor residual = leaf({3, 40}), x = leaf({3, 40}), w = leaf({40});
    const at::Tensor grad = at::randn({3, 40}).to(type);
    const at::Tensor sum = AddRmsNorm(residual, x, w, 1e-6);
    EXPECT_TRUE(at::equal(sum, residual + RmsNorm(x, w, 1e-6)));
    sum.backward(grad);
    EXPECT_TRUE(at::equal(residual.grad(), grad));
    const at::Tensor grad_x = x.grad().clone(), grad_w = w.grad().clone();
    x.mutable_grad().reset();
    w.mutable_grad().reset();
    RmsNorm(x, w, 1e-6).backward(grad);
    EXPECT_TRUE(at::equal(grad_x, x.grad()));
    EXPECT_TRUE(at::equal(grad_w, w.grad()));
  }
}

TEST(RmsNorm, RefusesAWeightOfAnotherWidth) {
  EXPECT_THROW(RmsNorm(at::zeros({2, 3}), at::zeros({4}), 1e-6), c10::Error);
}

}  // namespace
}  // namespace fpo::train
