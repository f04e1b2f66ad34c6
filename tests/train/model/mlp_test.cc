#include "train/model/mlp.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

TEST(Mlp, FollowsTheFormulaWithExactGradients) {
  at::manual_seed(10);
  const auto normal = [](std::vector<int64_t> shape) { return at::randn(shape, at::kDouble); };
  const std::vector<at::Tensor> tensors = {normal({2, 3, 4}), normal({5, 4}), normal({5, 4}),
                                           normal({4, 5})};
  const at::Tensor inner = at::gelu(at::matmul(tensors[0], tensors[1].t()), "tanh") *
                           at::matmul(tensors[0], tensors[2].t());
  const at::Tensor y = Mlp(tensors[0], {tensors[1], tensors[2], tensors[3]});
  EXPECT_LT(RelativeError(y, at::matmul(inner, tensors[3].t())), 1e-13);
  ExpectGradientsMatchDifferences(
      [](const auto& t) {
        return Mlp(t[0], {t[1], t[2], t[3]});
      },
      tensors);
}

}  // namespace
}  // namespace fpo::train
