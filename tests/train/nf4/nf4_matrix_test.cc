#include "train/nf4/nf4_matrix.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "train/ops/product.h"

namespace fpo::train {
namespace {

std::shared_ptr<const Nf4Matrix> MatrixOf(const at::Tensor& weight,
                                          const std::shared_ptr<WeightBuffer>& buffer) {
  return std::make_shared<const Nf4Matrix>(Nf4Matrix{*QuantiseNf4(weight, true), buffer});
}

class Nf4Products : public ::testing::TestWithParam<at::ScalarType> {};
INSTANTIATE_TEST_SUITE_P(Types, Nf4Products,
                         ::testing::Values(at::kFloat, at::kBFloat16, at::kDouble));

// Matrices of several sizes share the buffer, and each finds it changed in backward.
TEST_P(Nf4Products, IsTheProductWithTheDenseWeight) {
  at::manual_seed(8);
  const auto buffer = std::make_shared<WeightBuffer>();
  const auto up = MatrixOf(at::randn({192, 64}), buffer),
             down = MatrixOf(at::randn({64, 192}), buffer);
  const at::Tensor x = at::randn({2, 5, 64}).to(GetParam()).requires_grad_();
  const at::Tensor grad = at::randn({2, 5, 64}).to(GetParam());
  const at::Tensor y = Nf4Linear(Nf4Linear(x, up), down);
  y.backward(grad);
  const at::Tensor made = x.grad().clone();
  x.mutable_grad().reset();
  const at::Tensor dense = Linear(Linear(x, DequantisedNf4(up->tensor, GetParam())),
                                  DequantisedNf4(down->tensor, GetParam()));
  dense.backward(grad);
  EXPECT_TRUE(at::equal(y, dense));
  EXPECT_TRUE(at::equal(made, x.grad()));
}

TEST_P(Nf4Products, ATakenBufferIsLeftAlone) {
  const auto buffer = std::make_shared<WeightBuffer>();
  const auto weight = MatrixOf(at::randn({64, 64}), buffer);
  const at::Tensor expected = DequantisedNf4(weight->tensor, GetParam());
  buffer->With(weight->tensor, GetParam(), [&](const at::Tensor& outer) {
    const auto other = MatrixOf(at::ones({64, 64}), buffer);
    EXPECT_EQ(Nf4Linear(at::ones({1, 64}).to(GetParam()), other).sum().item<double>(), 64 * 64);
    EXPECT_TRUE(at::equal(outer, expected));
  });
}

}  // namespace
}  // namespace fpo::train
