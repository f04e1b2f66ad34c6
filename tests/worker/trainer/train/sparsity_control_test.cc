#include "worker/trainer/train/sparsity_control.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

// A stand-in for training: L0 falls as the coefficient grows.
TEST(SparsityControl, FindsItsTarget) {
  SparsityControl control(24, 2000);
  double l0 = 300;
  for (int step = 0; step < 2000; ++step) {
    l0 += 0.05 * (24 * 0.01 / control.coefficient() - l0);
    control.Observe(l0);
  }
  EXPECT_NEAR(l0, 24, 3);
}

TEST(SparsityControl, StaysInBounds) {
  SparsityControl control(10, 100);
  for (int step = 0; step < 10000; ++step) control.Observe(1e6);
  EXPECT_LE(control.coefficient(), 10);
  for (int step = 0; step < 100000; ++step) control.Observe(0);
  EXPECT_GT(control.coefficient(), 0);
}

}  // namespace
}  // namespace fpo::train
