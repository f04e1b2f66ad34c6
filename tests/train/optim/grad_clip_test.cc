#include "train/optim/grad_clip.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(GradClip, ScalesAllTensorsByOneFactor) {
  const std::vector<at::Tensor> gradients = {at::tensor({3.0f, 0.0f}), at::tensor({4.0f})};
  EXPECT_DOUBLE_EQ(GlobalNorm(gradients), 5);
  EXPECT_DOUBLE_EQ(ClipGlobalNorm(gradients, 1), 5);
  EXPECT_TRUE(at::allclose(gradients[0], at::tensor({0.6f, 0.0f})));
  EXPECT_TRUE(at::allclose(gradients[1], at::tensor({0.8f})));
}

TEST(GradClip, LeavesSmallGradientsAndZeroMeansOff) {
  const std::vector<at::Tensor> gradients = {at::tensor({3.0f})};
  EXPECT_DOUBLE_EQ(ClipGlobalNorm(gradients, 3.5), 3);
  EXPECT_DOUBLE_EQ(ClipGlobalNorm(gradients, 0), 3);
  EXPECT_EQ(gradients[0].item<float>(), 3.0f);
}

TEST(GradClip, ReportsANormThatIsNotFinite) {
  const std::vector<at::Tensor> gradients = {
      at::full({1}, std::numeric_limits<float>::quiet_NaN())};
  EXPECT_TRUE(std::isnan(ClipGlobalNorm(gradients, 1)));
}

TEST(GradClip, SquaresDoNotOverflowFloat32) {
  EXPECT_NEAR(GlobalNorm({at::full({4}, 1e30f)}), 2e30, 1e24);
}

}  // namespace
}  // namespace fpo::train
