#include "train/sae/sae_health.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

// Two features that copy the positive part of two coordinates.
SaeTensors Identity() {
  SaeTensors tensors;
  tensors.w_enc = at::eye(2);
  tensors.b_enc = at::zeros({2});
  tensors.threshold = at::zeros({2});
  tensors.w_dec = at::eye(2);
  tensors.b_dec = at::zeros({2});
  return tensors;
}

TEST(SaeHealth, FollowsItsDefinitions) {
  SaeHealth health(*SparseAutoencoder::Create(Identity()));
  EXPECT_EQ(health.L0(), 0);
  EXPECT_EQ(health.Fvu(), 0);
  health.Add(at::tensor({1.0f, 2.0f, 3.0f, -1.0f}).view({2, 2}));
  health.Add(at::tensor({-2.0f, -1.0f}).view({1, 2}));
  EXPECT_EQ(health.rows(), 3);
  EXPECT_DOUBLE_EQ(health.L0(), 3 / 3.0);
  // Lost: -1, -2, -1. Mean (2/3, 0); squared distances to it: 1/9 + 4, 49/9 + 1, 64/9 + 1.
  EXPECT_NEAR(health.Fvu(), 6.0 / (114 / 9.0 + 6), 1e-12);
}

TEST(SaeHealth, IsZeroForAPerfectReconstruction) {
  SaeHealth health(*SparseAutoencoder::Create(Identity()));
  health.Add(at::rand({20, 2}) + 0.1);
  EXPECT_DOUBLE_EQ(health.Fvu(), 0);
  EXPECT_DOUBLE_EQ(health.L0(), 2);
}

// Against the dense formula, with and without TopK.
TEST(SaeHealth, BlocksOfFeaturesAreTheWhole) {
  at::manual_seed(5);
  for (const int64_t k : {0, 40}) {
    SaeTensors tensors;
    tensors.w_enc = at::randn({3, 2600});
    tensors.b_enc = at::randn({2600}) * 0.1;
    tensors.threshold = at::full({2600}, 0.5);
    tensors.w_dec = at::randn({2600, 3}) * 0.01;
    tensors.b_dec = at::randn({3});
    tensors.top_k = k;
    const SparseAutoencoder sae = *SparseAutoencoder::Create(tensors);
    const at::Tensor rows = at::randn({1030, 3}), codes = sae.Encode(rows);
    SaeHealth health(sae);
    health.Add(rows);
    EXPECT_DOUBLE_EQ(health.L0(), codes.gt(0).sum().item<double>() / 1030);
    const at::Tensor lost = rows - (at::matmul(codes, tensors.w_dec) + tensors.b_dec);
    const double variance = (rows - rows.mean(0)).square().sum().item<double>();
    EXPECT_NEAR(health.Fvu(), lost.square().sum().item<double>() / variance, 1e-5 * health.Fvu());
  }
}

TEST(SaeHealth, HasNoFvuWithoutADecoder) {
  SaeTensors tensors = Identity();
  tensors.w_dec.reset();
  SaeHealth health(*SparseAutoencoder::Create(tensors));
  health.Add(at::ones({3, 2}));
  EXPECT_DOUBLE_EQ(health.L0(), 2);
  EXPECT_EQ(health.Fvu(), 0);
}

}  // namespace
}  // namespace fpo::train
