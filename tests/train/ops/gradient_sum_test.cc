#include "train/ops/gradient_sum.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "tests/train/ops/memory_watch.h"
#include "train/cuda/cuda_ops.h"
#include "train/model/embedding.h"
#include "train/ops/fast_paths.h"
#include "train/ops/product.h"
#include "train/ops/vocab_head.h"

namespace fpo::train {
namespace {

struct Summed {
  explicit Summed(std::vector<at::Tensor> of) : parameters(std::move(of)) {
    for (const at::Tensor& parameter : parameters) sums.emplace_back(parameter);
  }
  template <typename Fn>
  void While(const Fn& fn) {
    const FastPathsInScope fast({});
    const GradientSumsInScope scope(parameters, &sums);
    fn();
  }
  std::vector<at::Tensor> parameters;
  std::vector<GradientSum> sums;
};

at::Tensor Parameter(at::IntArrayRef sizes, at::ScalarType type = at::kFloat) {
  return at::randn(sizes).to(type).set_requires_grad(true);
}

// Over two backward passes, and more rows than a piece of a sum has.
TEST(GradientSum, OfALinearIsItsGradient) {
  at::manual_seed(1);
  const at::Tensor weight = Parameter({2100, 1024}), other = Parameter({3, 1024});
  Summed summed({weight});
  at::Tensor expected = at::zeros_like(weight).detach();
  for (int pass = 0; pass < 2; ++pass) {
    const at::Tensor x = at::randn({5, 1024}), scale = at::randn({5, 2100});
    summed.While([&] { ((Linear(x, weight) * scale).sum() + Linear(x, other).sum()).backward(); });
    expected += at::matmul(scale.t(), x);
  }
  EXPECT_FALSE(weight.grad().defined());
  EXPECT_TRUE(other.grad().defined()) << "nobody sums it";
  EXPECT_LT(RelativeError(summed.sums[0].Value(), expected), 1e-5);
  summed.sums[0].Clear();
  EXPECT_EQ(summed.sums[0].Value().abs().sum().item<float>(), 0);
}

// In bfloat16 256 + 1 is 256, and so is a gradient of 257.
TEST(GradientSum, OfBFloat16IsNotRounded) {
  const at::Tensor weight = at::ones({1, 2}, at::kBFloat16).set_requires_grad(true);
  Summed summed({weight});
  const at::Tensor x = at::tensor({256.0F, 1.0F}).view({2, 1}).expand({2, 2}).to(at::kBFloat16);
  for (int pass = 0; pass < 2; ++pass) {
    summed.While([&] { Linear(x, weight).sum().backward(); });
  }
  EXPECT_EQ(summed.sums[0].Value().scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(summed.sums[0].Value(), at::full({1, 2}, 514.0F)));
}

// A gradient of more than 8 MiB is widened and multiplied in pieces of rows.
TEST(GradientSum, OfALargeBFloat16HasEachPieceOnce) {
  at::manual_seed(7);
  const at::Tensor gradient = at::randn({2500, 3}).to(at::kBFloat16);
  const at::Tensor x = at::randn({3, 2048}).to(at::kBFloat16);
  GradientSum sum(at::zeros({2500, 2048}, at::kBFloat16));
  for (int pass = 1; pass <= 2; ++pass) {
    sum.AddProduct(gradient, x);
    const at::Tensor exact = at::mm(gradient.to(at::kDouble), x.to(at::kDouble)) * pass;
    EXPECT_LT(RelativeError(sum.Value(), exact), 1e-5);
  }
}

// A tied embedding is read twice: as rows and as the head.
TEST(GradientSum, OfATiedEmbeddingHasBothParts) {
  at::manual_seed(3);
  const at::Tensor ids = at::tensor({1, 4, 1, 0}, at::kLong).view({1, 4});
  const at::Tensor targets = at::tensor({4, 1, 0, 2}, at::kLong);
  for (const auto type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::Tensor weight = Parameter({6, 3}, type);
    const auto loss = [&] {
      const at::Tensor hidden = ScaledEmbedding(weight, ids).flatten(0, 1);
      return TokenLogProbs(hidden, weight, targets, {}).log_probs.sum();
    };
    Summed summed({weight});
    summed.While([&] {
      loss().backward();
      loss().backward();
    });
    EXPECT_FALSE(weight.grad().defined());
    const at::Tensor once = torch::autograd::grad({loss()}, {weight})[0];
    const double bound = type == at::kBFloat16 ? 0.02 : 1e-5;  // autograd rounds both parts
    EXPECT_LT(RelativeError(summed.sums[0].Value(), once.to(at::kDouble) * 2), bound) << type;
  }
}

TEST(GradientSum, IsOffWithItsFastPath) {
  const at::Tensor weight = Parameter({4, 3});
  std::vector<GradientSum> sums = {GradientSum(weight)};
  const FastPathsInScope plain(FastPaths::None());
  const GradientSumsInScope scope({weight}, &sums);
  EXPECT_EQ(GradientSumOf(weight), nullptr);
  Linear(at::ones({2, 3}), weight).sum().backward();
  EXPECT_TRUE(weight.grad().defined());
}

TEST(GradientSum, EndsWithItsScope) {
  const at::Tensor weight = Parameter({4, 3});
  Summed summed({weight});
  summed.While([&] {
    EXPECT_EQ(GradientSumOf(weight), summed.sums.data());
    EXPECT_EQ(GradientSumOf(weight.detach()), summed.sums.data()) << "a recomputed block's";
  });
  EXPECT_EQ(GradientSumOf(weight), nullptr);
}

// A second micro-batch needs no second tensor of the weight's size.
TEST(GradientSum, NeedsNoCopyOfTheWeight) {
  const at::Tensor weight = Parameter({1 << 14, 512});
  Summed summed({weight});
  const at::Tensor x = at::randn({4, 512});
  const auto pass = [&] { Linear(x, weight).sum().backward(); };
  summed.While(pass);
  const MemoryWatch watch;
  summed.While(pass);
  EXPECT_LT(watch.peak_bytes(), weight.numel() * 4 / 2);
}

// Nor one of the rows' gradient, which is widened and turned.
TEST(GradientSum, NeedsNoCopyOfManyRows) {
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor gradient = at::ones({4000, 2048}, type), x = at::ones({4000, 16}, type);
    if (CudaKernelsOf(gradient) != nullptr) continue;  // a GPU's product reads it as it lies
    GradientSum sum(at::zeros({2048, 16}, type));
    sum.AddProduct(gradient.t(), x);
    const MemoryWatch watch;
    sum.AddProduct(gradient.t(), x);
    EXPECT_LT(watch.peak_bytes(), int64_t{20} << 20) << type;
    EXPECT_TRUE(sum.Value().eq(8000).all().item<bool>()) << type;
  }
}

}  // namespace
}  // namespace fpo::train
