#include "train/sae/response_rows.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

TEST(ResponseSums, AddsInFloat64ByOwner) {
  // In float32 the small value would vanish beside the large one.
  const at::Tensor values = at::tensor({1e8f, 1.0f, 2.0f, -1e8f});
  const at::Tensor owners = at::tensor({1, 1, 0, 1}, at::kLong);
  const at::Tensor sums = ResponseSums(values, owners, 3);
  EXPECT_TRUE(at::equal(sums, at::tensor({2.0, 1.0, 0.0}, at::kDouble)));
  EXPECT_TRUE(at::equal(ResponseSizes(owners, 3), at::tensor({1, 3, 0}, at::kLong)));
}

TEST(ResponseSums, HasExactGradients) {
  at::manual_seed(1);
  const at::Tensor owners = at::tensor({2, 0, 2, 1}, at::kLong);
  ExpectGradientsMatchDifferences(
      [&](const auto& in) { return ResponseSums(in[0], owners, 3).square(); },
      {at::randn({4}, at::kDouble)});
}

TEST(CheckResponseRows, RefusesWhatDoesNotFit) {
  const at::Tensor owners = at::tensor({0, 1}, at::kLong);
  EXPECT_NO_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2}, 3));
  EXPECT_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2}, 4), c10::Error);
  EXPECT_THROW(CheckResponseRows({at::zeros({3, 3}), owners, 2}, 3), c10::Error);
  EXPECT_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 1}, 3), c10::Error);
  EXPECT_NO_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2, {1, 1}}, 3));
  EXPECT_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2, {2}}, 3), c10::Error);
  EXPECT_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2, {1, 2}}, 3), c10::Error);
}

}  // namespace
}  // namespace fpo::train
