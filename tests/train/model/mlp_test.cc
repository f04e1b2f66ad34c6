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
  const at::Tensor gate = at::matmul(tensors[0], tensors[1].t());
  const at::Tensor up = at::matmul(tensors[0], tensors[2].t());
  for (const Activation activation : {Activation::kGeluTanh, Activation::kSilu}) {
    const at::Tensor activated =
        activation == Activation::kSilu ? gate * at::sigmoid(gate) : at::gelu(gate, "tanh");
    const at::Tensor y = Mlp(tensors[0], {tensors[1], tensors[2], tensors[3]}, activation);
    EXPECT_LT(RelativeError(y, at::matmul(activated * up, tensors[3].t())), 1e-13);
    ExpectGradientsMatchDifferences(
        [activation](const auto& t) {
          return Mlp(t[0], {t[1], t[2], t[3]}, activation);
        },
        tensors);
  }
}

}  // namespace
}  // namespace fpo::train
