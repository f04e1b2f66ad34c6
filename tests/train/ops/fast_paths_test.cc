#include "train/ops/fast_paths.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(FastPaths, KernelsAreForFloat32OnTheCpuAlone) {
  const FastPathsInScope on({true, true, true});
  EXPECT_NE(KernelsOf(at::ones({1})), nullptr);
  EXPECT_EQ(KernelsOf(at::ones({1}, at::kDouble)), nullptr);
  EXPECT_EQ(KernelsOf(at::ones({1}, at::kBFloat16)), nullptr);
  EXPECT_EQ(KernelsOf(at::empty({1}, at::TensorOptions().device(at::kMeta))), nullptr);
}

TEST(FastPaths, AScopeEndsWithItsBraces) {
  const FastPaths before = ActiveFastPaths();
  {
    const FastPathsInScope off({false, false, false});
    EXPECT_EQ(KernelsOf(at::ones({1})), nullptr);
    EXPECT_FALSE(ActiveFastPaths().packed || ActiveFastPaths().one_head);
  }
  EXPECT_EQ(ActiveFastPaths().kernels, before.kernels);
  EXPECT_EQ(ActiveFastPaths().packed, before.packed);
  EXPECT_EQ(ActiveFastPaths().one_head, before.one_head);
}

}  // namespace
}  // namespace fpo::train
