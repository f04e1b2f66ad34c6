#include "train/optim/gradient_buffer.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(GradientBuffer, SumsMicroBatchesInFloat32) {
  const at::Tensor x = at::ones({2}, at::kBFloat16).set_requires_grad(true);
  GradientBuffer buffer({{"x", x}});
  // In bfloat16 256 + 1 is 256.
  for (const double factor : {256.0, 1.0, 1.0, 1.0}) {
    (x * factor).sum().backward();
    buffer.Collect();
    EXPECT_FALSE(x.grad().defined());
  }
  EXPECT_EQ(buffer.gradients()[0].scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(buffer.gradients()[0], at::full({2}, 259.0f)));
}

TEST(GradientBuffer, KeepsFloat64) {
  const at::Tensor x = at::ones({2}, at::kDouble).set_requires_grad(true);
  const at::Tensor unused = at::ones({1}, at::kDouble).set_requires_grad(true);
  GradientBuffer buffer({{"x", x}, {"unused", unused}});
  // In float32 1 + 2^-40 is 1.
  for (const double factor : {1.0, 0x1p-40}) {
    (x * factor).sum().backward();
    buffer.Collect();
  }
  EXPECT_TRUE(at::equal(buffer.gradients()[0], at::full({2}, 1 + 0x1p-40, at::kDouble)));
  EXPECT_EQ(buffer.gradients()[1].scalar_type(), at::kDouble);
}

TEST(GradientBuffer, IsZeroWhereNothingFlowed) {
  const at::Tensor x = at::ones({2}).set_requires_grad(true);
  const at::Tensor unused = at::ones({3}).set_requires_grad(true);
  GradientBuffer buffer({{"x", x}, {"unused", unused}});
  x.sum().backward();
  buffer.Collect();
  EXPECT_TRUE(at::equal(buffer.gradients()[1], at::zeros({3})));
  EXPECT_FALSE(buffer.gradients()[1].requires_grad());
}

TEST(GradientBuffer, StartsAgainAfterClear) {
  const at::Tensor x = at::ones({2}).set_requires_grad(true);
  GradientBuffer buffer({{"x", x}});
  for (int i = 0; i < 2; ++i) {
    (x * 3).sum().backward();
    buffer.Collect();
    EXPECT_TRUE(at::equal(buffer.gradients()[0], at::full({2}, 3.0f)));
    buffer.Clear();
  }
}

}  // namespace
}  // namespace fpo::train
