#include "train/model/embedding.h"

#include <ATen/ATen.h>

#include <cstdint>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

TEST(ScaledEmbedding, RoundsTheScaleToTheDtype) {
  const struct {
    int64_t width;
    double scale;
  } cases[] = {{640, 25.25}, {1152, 34}, {2304, 48}, {3584, 59.75}};
  const at::Tensor ids = at::zeros({1, 1}, at::kLong);
  for (const auto& c : cases) {
    const at::Tensor x = ScaledEmbedding(at::ones({1, c.width}, at::kBFloat16), ids);
    EXPECT_EQ(x[0][0][0].item<double>(), c.scale) << c.width;
  }
  // 1.25 * 25.25 = 31.5625 rounds to 31.5; with the exact root, 1.25 * 25.298 would give 31.625.
  const at::Tensor x = ScaledEmbedding(at::full({1, 640}, 1.25, at::kBFloat16), ids);
  EXPECT_EQ(x[0][0][0].item<double>(), 31.5);
  EXPECT_FLOAT_EQ(ScaledEmbedding(at::ones({1, 48}), ids)[0][0][0].item<float>(), 6.9282032f);
}

TEST(ScaledEmbedding, HasExactGradients) {
  at::manual_seed(11);
  const at::Tensor ids = at::tensor({2, 0, 2, 1}, at::kLong).view({2, 2});
  ExpectGradientsMatchDifferences([&](const auto& t) { return ScaledEmbedding(t[0], ids); },
                                  {at::randn({4, 3}, at::kDouble)});
}

TEST(PlainEmbedding, TakesTheRowsAsTheyAre) {
  at::manual_seed(12);
  const at::Tensor weight = at::randn({4, 3}, at::kDouble);
  const at::Tensor ids = at::tensor({2, 0, 2}, at::kLong).view({1, 3});
  EXPECT_TRUE(at::equal(PlainEmbedding(weight, ids)[0], weight.index_select(0, ids[0])));
  ExpectGradientsMatchDifferences([&](const auto& t) { return PlainEmbedding(t[0], ids); },
                                  {weight});
}

TEST(ScaledEmbedding, SumsRepeatedIdsInFloat32) {
  // 300 gradients of 1: a bfloat16 sum stops at 256.
  const at::Tensor weight = at::ones({2, 1}, at::kBFloat16).set_requires_grad(true);
  ScaledEmbedding(weight, at::zeros({1, 300}, at::kLong)).sum().backward();
  EXPECT_EQ(weight.grad()[0][0].item<double>(), 300);
}

}  // namespace
}  // namespace fpo::train
