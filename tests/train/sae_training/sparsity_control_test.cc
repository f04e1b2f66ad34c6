#include "train/sae_training/sparsity_control.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

// A stand-in for training: L0 falls while features have a price and grows while they earn.
double L0After(double l0, double scale) {
  SparsityControl control(24, 1000);
  for (int step = 0; step < 4000; ++step) {
    control.Observe(l0, 0.1 * scale);
    l0 *= 1 - 5 * control.coefficient() / scale;
  }
  return l0;
}

TEST(SparsityControl, FindsItsTargetFromEitherSide) {
  EXPECT_NEAR(L0After(300, 1), 24, 1);
  EXPECT_NEAR(L0After(2, 1), 24, 1);
}

TEST(SparsityControl, ScaleOfTheActivationsDoesNotMatter) {
  EXPECT_NEAR(L0After(300, 1000), L0After(300, 1), 1e-6);
}

TEST(SparsityControl, NeverOutweighsTheReconstruction) {
  SparsityControl control(10, 100);
  EXPECT_EQ(control.coefficient(), 0);
  for (int step = 0; step < 1000; ++step) control.Observe(1e6, 0.5);
  EXPECT_NEAR(control.coefficient(), 0.5 / 10, 1e-9);
  for (int step = 0; step < 1000; ++step) control.Observe(0, 0.5);
  EXPECT_NEAR(control.coefficient(), -0.5 / 10, 1e-9);
}

}  // namespace
}  // namespace fpo::train
