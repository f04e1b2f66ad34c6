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

TEST(GradientBuffer, PartsAreTakenByThemselves) {
  at::Tensor x = at::ones({2}).set_requires_grad(true), y = at::ones({3}).set_requires_grad(true);
  GradientBuffer buffer({{"x", x}, {"y", y}});
  EXPECT_TRUE(buffer.IsEmpty(0, 2));
  x.mutable_grad() = at::full({2}, 5.0f);
  y.mutable_grad() = at::full({3}, 7.0f);
  EXPECT_FALSE(buffer.IsEmpty(0, 1));
  const std::vector<at::Tensor> last = buffer.Values(1, 1);
  ASSERT_EQ(last.size(), 1u);
  EXPECT_TRUE(at::equal(last[0], at::full({3}, 7.0f)));
  EXPECT_TRUE(x.grad().defined()) << "not asked for";
  buffer.Clear(1, 1);
  EXPECT_TRUE(buffer.IsEmpty(1, 1));
  EXPECT_TRUE(at::equal(last[0], at::full({3}, 7.0f))) << "what was taken stays";
  EXPECT_TRUE(at::equal(buffer.Values(0, 1)[0], at::full({2}, 5.0f)));
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
