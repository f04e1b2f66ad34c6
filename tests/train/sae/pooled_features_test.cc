#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "tests/train/ops/memory_watch.h"
#include "train/ops/fast_paths.h"
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

// A TopK SAE whose threshold is 0.
SparseAutoencoder MakeTopK(at::ScalarType type, int64_t k, int64_t features = kFeatures) {
  at::manual_seed(26);
  SaeTensors tensors;
  tensors.w_enc = at::randn({kWidth, features}, at::kDouble).to(type);
  tensors.b_enc = (at::randn({features}, at::kDouble) * 0.1).to(type);
  tensors.threshold = at::zeros({features}, type);
  tensors.b_dec = at::randn({kWidth}, at::kDouble).to(type);
  tensors.apply_b_dec_to_input = true;
  tensors.top_k = k;
  return *SparseAutoencoder::Create(tensors);
}

// The formula itself, for autograd: the k largest of relu(pre), the others zero.
at::Tensor PlainTopK(const at::Tensor& rows, int64_t k, at::ScalarType type) {
  at::manual_seed(26);
  const at::Tensor w_enc = at::randn({kWidth, kFeatures}, at::kDouble).to(type);
  const at::Tensor b_enc = (at::randn({kFeatures}, at::kDouble) * 0.1).to(type);
  const at::Tensor b_dec = at::randn({kWidth}, at::kDouble).to(type);
  const at::Tensor pre = at::relu(at::matmul(rows - b_dec, w_enc) + b_enc);
  const auto [values, columns] = pre.topk(k, 1);
  return at::zeros_like(pre).scatter(1, columns, values);
}

TEST(PooledFeatures, OfATopKAreThoseOfTheFormula) {
  for (const int64_t k : {int64_t{1}, int64_t{3}, kFeatures}) {
    const SparseAutoencoder sae = MakeTopK(at::kDouble, k);
    ResponseRows input = Rows(at::kDouble);
    EXPECT_LT(RelativeError(sae.Encode(input.rows), PlainTopK(input.rows, k, at::kDouble)), 1e-13);
    EXPECT_LE(sae.Encode(input.rows).gt(0).sum(1).max().item<int64_t>(), k);
    input.rows.set_requires_grad(true);
    const at::Tensor codes = PlainTopK(input.rows, k, at::kDouble);
    const at::Tensor plain =
        at::stack({(codes[0] + codes[1] + codes[5]) / 3, at::zeros_like(codes[0]),
                   (codes[2] + codes[3] + codes[4]) / 3});
    const at::Tensor pooled = sae.PooledFeatures(input);
    EXPECT_LT(RelativeError(pooled, plain), 1e-13);
    const at::Tensor columns = at::tensor({1, 4, 0, 2, 6, 3}, at::kLong).view({3, 2});
    const at::Tensor few = sae.PooledColumns(input, columns);
    EXPECT_LT(RelativeError(few, plain.gather(1, columns)), 1e-13);
    const at::Tensor weights = at::randn({3, kFeatures}, at::kDouble);
    const auto gradient = [&](const at::Tensor& loss) {
      return torch::autograd::grad({loss}, {input.rows}, {}, /*retain_graph=*/true)[0];
    };
    EXPECT_LT(RelativeError(gradient((pooled * weights).sum()), gradient((plain * weights).sum())),
              1e-13)
        << k;
    const at::Tensor some = weights.gather(1, columns);
    EXPECT_LT(RelativeError(gradient((few * some).sum()),
                            gradient((plain.gather(1, columns) * some).sum())),
              1e-13)
        << k;
  }
}

TEST(PooledFeatures, OfATopKHaveExactGradients) {
  const SparseAutoencoder sae = MakeTopK(at::kDouble, 3);
  const ResponseRows input = Rows(at::kDouble);
  ExpectGradientsMatchDifferences(
      [&](const auto& in) {
        return sae.PooledFeatures({in[0], input.response_of_row, input.responses});
      },
      {input.rows});
}

// A feature outside the k largest of a row gets nothing from that row, however large it is.
TEST(PooledFeatures, OfATopKOnlyTheChosenReachTheRows) {
  const SparseAutoencoder sae = MakeTopK(at::kDouble, 2);
  const ResponseRows input = Rows(at::kDouble);
  input.rows.set_requires_grad(true);
  const at::Tensor codes = sae.Encode(input.rows.detach());
  for (int64_t feature = 0; feature < kFeatures; ++feature) {
    const at::Tensor pooled = sae.PooledFeatures(input);
    const at::Tensor grad = torch::autograd::grad({pooled[2][feature]}, {input.rows})[0];
    for (int64_t row = 0; row < 6; ++row) {
      const bool chosen = row >= 2 && row <= 4 && codes[row][feature].item<double>() > 0;
      EXPECT_EQ(grad[row].abs().max().item<double>() > 0, chosen) << row << " " << feature;
    }
  }
}

// In float32, with many features: the k-th largest is never lost by rounding when its column is
// computed again.
TEST(PooledFeatures, OfATopKTheLastChosenKeepsItsGradient) {
  const SparseAutoencoder sae = MakeTopK(at::kFloat, 20, 3000);
  at::manual_seed(3);
  ResponseRows input = {at::randn({40, kWidth}), at::arange(40, at::kLong), 40};
  input.rows.set_requires_grad(true);
  const at::Tensor pooled = sae.PooledFeatures(input);
  const at::Tensor active = pooled.gt(0);
  EXPECT_EQ(active.sum(1).min().item<int64_t>(), 20);
  // d(sum of codes)/dx is the sum of the chosen columns of the encoder.
  const at::Tensor grad = torch::autograd::grad({pooled.sum()}, {input.rows})[0];
  at::manual_seed(26);
  const at::Tensor w_enc = at::randn({kWidth, 3000}, at::kDouble);
  const at::Tensor expected = at::matmul(active.to(at::kDouble), w_enc.t());
  EXPECT_LT(RelativeError(grad, expected), 1e-5);
  const auto top = at::topk(pooled.detach(), 5, 1);
  const at::Tensor few = sae.PooledColumns(input, std::get<1>(top));
  EXPECT_LT(RelativeError(few, std::get<0>(top)), 1e-5);
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

// Features in several blocks of columns, rows in several blocks; with and without kernels.
TEST(PooledFeatures, BlocksOfColumnsAreTheWhole) {
  const int64_t features = 2500;
  for (const bool top : {false, true}) {
    const SparseAutoencoder sae =
        top ? MakeTopK(at::kFloat, 30, features) : MakeSae(at::kFloat, features);
    at::manual_seed(18);
    ResponseRows input = {at::randn({1100, kWidth}), at::arange(1100, at::kLong).div(500, "floor"),
                          3};
    input.rows.set_requires_grad(true);
    const at::Tensor codes = sae.Encode(input.rows.detach());
    if (top) {
      EXPECT_LE(codes.gt(0).sum(1).max().item<int64_t>(), 30);
    }
    const at::Tensor columns = at::tensor({7, 1024, 2499, 7, 3, 2048}, at::kLong).view({3, 2});
    for (const bool fast : {true, false}) {
      const FastPathsInScope paths({fast});
      const at::Tensor pooled = sae.PooledFeatures(input);
      EXPECT_LT(RelativeError(pooled[2], codes.narrow(0, 1000, 100).mean(0)), 1e-6) << fast << top;
      const at::Tensor few = sae.PooledColumns(input, columns);
      EXPECT_LT(RelativeError(few, pooled.gather(1, columns)), 1e-6);
      const auto gradient = [&](const at::Tensor& loss) {
        return torch::autograd::grad({loss}, {input.rows}, {}, /*retain_graph=*/true)[0];
      };
      const at::Tensor dense = gradient(pooled.gather(1, columns).square().sum());
      EXPECT_GT(dense.abs().max().item<float>(), 0);
      EXPECT_LT(RelativeError(gradient(few.square().sum()), dense), 1e-5) << fast << top;
    }
  }
}

// Values that are known already are not computed again, and have the same gradient.
TEST(PooledFeatures, KnownColumnsKeepTheirValues) {
  const SparseAutoencoder sae = MakeSae(at::kDouble);
  const ResponseRows input = Rows(at::kDouble);
  input.rows.set_requires_grad(true);
  const at::Tensor columns = at::tensor({1, 4, 0, 2, 6, 3}, at::kLong).view({3, 2});
  const at::Tensor known = at::randn({3, 2}, at::kDouble);
  const at::Tensor kept = sae.PooledColumns(input, columns, known);
  EXPECT_TRUE(at::equal(kept, known));
  const at::Tensor weights = at::randn({3, 2}, at::kDouble);
  const auto gradient = [&](const at::Tensor& pooled) {
    return torch::autograd::grad({(pooled * weights).sum()}, {input.rows})[0];
  };
  EXPECT_TRUE(at::equal(gradient(kept), gradient(sae.PooledColumns(input, columns))));
  EXPECT_THROW(sae.PooledColumns(input, columns, known.narrow(1, 0, 1)), c10::Error);
}

// A million features: codes of all rows would be 840 MB.
TEST(PooledFeatures, MemoryDoesNotGrowWithRowsTimesFeatures) {
  const int64_t features = 1 << 20, rows = 200, floats = sizeof(float);
  const SparseAutoencoder sae = MakeSae(at::kFloat, features);
  ResponseRows input = {at::randn({rows, kWidth}), at::zeros({rows}, at::kLong), 1};
  input.rows.set_requires_grad(true);
  const MemoryWatch watch;
  const at::Tensor pooled = sae.PooledFeatures(input);
  const at::Tensor columns = at::arange(64, at::kLong).mul_(1000).unsqueeze(0);
  const at::Tensor few = sae.PooledColumns(input, columns, pooled.detach().gather(1, columns));
  torch::autograd::grad({few.sum() + pooled.gather(1, columns).sum()}, {input.rows});
  // Pooled features, their gradient and what is gathered from it; blocks.
  EXPECT_LT(watch.peak_bytes(),
            4 * features * floats + 4 * SparseAutoencoder::kBlockElements * floats);
}

TEST(PooledFeatures, OfATopKMemoryDoesNotGrowEither) {
  const int64_t features = 1 << 16, rows = 300, floats = sizeof(float);
  const SparseAutoencoder sae = MakeTopK(at::kFloat, 8, features);
  const ResponseRows input = {at::randn({rows, kWidth}), at::zeros({rows}, at::kLong), 1};
  const MemoryWatch watch;
  sae.PooledFeatures(input);
  EXPECT_LT(watch.peak_bytes(),
            4 * features * floats + 10 * SparseAutoencoder::kBlockElements * floats);
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
