#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {
namespace {

constexpr int64_t kWidth = 4, kFeatures = 7;

SparseAutoencoder MakeSae(at::ScalarType type, int64_t features = kFeatures) {
  at::manual_seed(16);
  SaeTensors tensors;
  tensors.w_enc = at::randn({kWidth, features}, at::kDouble).to(type);
  tensors.b_enc = (at::randn({features}, at::kDouble) * 0.1).to(type);
  tensors.threshold = (at::rand({features}, at::kDouble) * 0.4).to(type);
  return *SparseAutoencoder::Create(tensors);
}

ResponseRows Rows(at::ScalarType type) {
  at::manual_seed(17);
  return {at::randn({6, kWidth}, at::kDouble).to(type), at::tensor({0, 0, 2, 2, 2, 0}, at::kLong),
          3};
}

TEST(PooledFeatures, IsTheMeanOverAResponsesOwnRows) {
  const SparseAutoencoder sae = MakeSae(at::kDouble);
  const ResponseRows input = Rows(at::kDouble);
  const at::Tensor codes = sae.Encode(input.rows);
  const at::Tensor pooled = sae.PooledFeatures(input);
  EXPECT_LT(RelativeError(pooled[0], (codes[0] + codes[1] + codes[5]) / 3), 1e-14);
  EXPECT_TRUE(at::equal(pooled[1], at::zeros({kFeatures}, at::kDouble)));
  EXPECT_LT(RelativeError(pooled[2], (codes[2] + codes[3] + codes[4]) / 3), 1e-14);
}

TEST(PooledFeatures, HasExactGradientsInTheRows) {
  const SparseAutoencoder sae = MakeSae(at::kDouble);
  const ResponseRows input = Rows(at::kDouble);
  ExpectGradientsMatchDifferences(
      [&](const auto& in) {
        return sae.PooledFeatures({in[0], input.response_of_row, input.responses});
      },
      {input.rows});
}

TEST(PooledFeatures, IdentityPoolsTheActivationsThemselves) {
  const SparseAutoencoder identity = SparseAutoencoder::Identity(kWidth);
  EXPECT_EQ(identity.features(), kWidth);
  const ResponseRows input = Rows(at::kFloat);
  input.rows.set_requires_grad(true);
  const at::Tensor pooled = identity.PooledFeatures(input);
  EXPECT_LT(RelativeError(pooled[2], input.rows.narrow(0, 2, 3).mean(0)), 1e-6);
  EXPECT_LT(pooled.min().item<float>(), 0);
  const at::Tensor columns = at::tensor({1, 3, 0, 1, 2, 0}, at::kLong).view({3, 2});
  EXPECT_TRUE(at::equal(identity.PooledColumns(input, columns), pooled.gather(1, columns)));
  const at::Tensor grad = torch::autograd::grad({pooled[0][2]}, {input.rows})[0];
  EXPECT_LT(RelativeError(grad[0], at::tensor({0.0f, 0.0f, 1.0f / 3, 0.0f})), 1e-6);
  EXPECT_EQ(grad[2].abs().sum().item<float>(), 0);
}

TEST(PooledFeatures, OnlyColumnsWithAGradientReachTheRows) {
  const SparseAutoencoder sae = MakeSae(at::kDouble);
  const ResponseRows input = Rows(at::kDouble);
  input.rows.set_requires_grad(true);
  const at::Tensor pooled = sae.PooledFeatures(input);
  const at::Tensor sparse = torch::autograd::grad({pooled[2][3]}, {input.rows})[0];
  const at::Tensor active = sae.Encode(input.rows.detach()).select(1, 3).gt(0);
  for (int64_t row = 0; row < 6; ++row) {
    const bool reached = sparse[row].abs().max().item<double>() > 0;
    EXPECT_EQ(reached, row >= 2 && row <= 4 && active[row].item<bool>()) << row;
  }
}

TEST(PooledFeatures, ColumnsAreTheSameNumbersAndGradients) {
  const SparseAutoencoder sae = MakeSae(at::kDouble);
  const ResponseRows input = Rows(at::kDouble);
  input.rows.set_requires_grad(true);
  const at::Tensor columns = at::tensor({1, 4, 0, 2, 6, 3}, at::kLong).view({3, 2});
  const at::Tensor all = sae.PooledFeatures(input).gather(1, columns);
  const at::Tensor few = sae.PooledColumns(input, columns);
  EXPECT_LT(RelativeError(few, all), 1e-14);
  const at::Tensor weights = at::randn({3, 2}, at::kDouble);
  const at::Tensor grad_all = torch::autograd::grad({(all * weights).sum()}, {input.rows})[0];
  const at::Tensor grad_few = torch::autograd::grad({(few * weights).sum()}, {input.rows})[0];
  EXPECT_LT(RelativeError(grad_few, grad_all), 1e-14);
}

// Sizes that the caller knows only spare a wait for the device.
TEST(PooledFeatures, KnownSizesChangeNoBit) {
  const SparseAutoencoder sae = MakeSae(at::kFloat);
  ResponseRows counted = Rows(at::kFloat);
  counted.response_of_row = at::tensor({0, 0, 2, 2, 2, 2}, at::kLong);
  counted.rows.set_requires_grad(true);
  ResponseRows known = counted;
  known.sizes = {2, 0, 4};
  const at::Tensor columns = at::tensor({1, 4, 0, 2, 6, 3}, at::kLong).view({3, 2});
  const auto grad = [&](const at::Tensor& pooled) {
    return torch::autograd::grad({pooled.square().sum()}, {counted.rows})[0];
  };
  EXPECT_TRUE(at::equal(grad(sae.PooledFeatures(known)), grad(sae.PooledFeatures(counted))));
  EXPECT_TRUE(at::equal(grad(sae.PooledColumns(known, columns)),
                        grad(sae.PooledColumns(counted, columns))));
}

TEST(PooledFeatures, DoesNotDependOnCompany) {
  const SparseAutoencoder sae = MakeSae(at::kFloat);
  const ResponseRows input = Rows(at::kFloat);
  const at::Tensor pooled = sae.PooledFeatures(input)[2];
  ResponseRows longer = {at::cat({input.rows, at::randn({50, kWidth})}),
                         at::cat({input.response_of_row, at::full({50}, 3, at::kLong)}), 4};
  EXPECT_LT(RelativeError(sae.PooledFeatures(longer)[2], pooled), 1e-6);
}

TEST(PooledFeatures, ChunksOfRowsAddUp) {
  // Wide enough that the rows do not fit one chunk.
  const int64_t features = 1 << 16;
  const SparseAutoencoder sae = MakeSae(at::kFloat, features);
  at::manual_seed(18);
  const at::Tensor rows = at::randn({600, kWidth});
  const at::Tensor owners = at::arange(600, at::kLong).remainder(3);
  const at::Tensor pooled = sae.PooledFeatures({rows, owners, 3});
  const at::Tensor expected = sae.Encode(rows.slice(0, 1, 600, 3)).mean(0);
  EXPECT_LT(RelativeError(pooled[1], expected), 1e-5);
}

TEST(PooledFeatures, GradientsKeepTheRowsDtypeAndNothingElseGetsOne) {
  const SparseAutoencoder sae = MakeSae(at::kFloat);
  const ResponseRows input = Rows(at::kBFloat16);
  input.rows.set_requires_grad(true);
  const at::Tensor pooled = sae.PooledFeatures(input);
  EXPECT_EQ(pooled.scalar_type(), at::kFloat);
  const at::Tensor grad = torch::autograd::grad({pooled.sum()}, {input.rows})[0];
  EXPECT_EQ(grad.scalar_type(), at::kBFloat16);
  EXPECT_FALSE(sae.Encode(input.rows).requires_grad());
}

}  // namespace
}  // namespace fpo::train
