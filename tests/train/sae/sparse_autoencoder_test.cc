#include "train/sae/sparse_autoencoder.h"

#include <ATen/ATen.h>

#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

SaeTensors Tensors() {
  at::manual_seed(15);
  SaeTensors tensors;
  tensors.w_enc = at::randn({6, 9});
  tensors.b_enc = at::randn({9}) * 0.1;
  tensors.threshold = at::rand({9});
  tensors.w_dec = at::randn({9, 6});
  tensors.b_dec = at::randn({6});
  return tensors;
}

std::string ErrorOf(const SaeTensors& tensors) {
  const auto sae = SparseAutoencoder::Create(tensors);
  return sae.ok() ? "accepted" : std::string(sae.status().message());
}

TEST(SparseAutoencoder, JumpsAtTheThreshold) {
  SaeTensors tensors;
  tensors.w_enc = at::ones({1, 3});
  tensors.b_enc = at::zeros({3});
  tensors.threshold = at::tensor({1.0f, 0.5f, 0.25f});
  const auto sae = SparseAutoencoder::Create(tensors);
  ASSERT_TRUE(sae.ok()) << sae.status();
  EXPECT_TRUE(
      at::equal(sae->Encode(at::full({1, 1}, 0.6f)), at::tensor({0.0f, 0.6f, 0.6f}).view({1, 3})));
  EXPECT_FALSE(sae->has_decoder());
  EXPECT_THROW(sae->Decode(at::zeros({1, 3})), c10::Error);
}

TEST(SparseAutoencoder, ANegativeThresholdLetsNothingNegativeThrough) {
  SaeTensors tensors;
  tensors.w_enc = at::ones({1, 1});
  tensors.b_enc = at::zeros({1});
  tensors.threshold = at::full({1}, -1.0f);
  const auto sae = SparseAutoencoder::Create(tensors);
  EXPECT_EQ(sae->Encode(at::full({1, 1}, -0.5f)).item<float>(), 0.0f);
  EXPECT_EQ(sae->Encode(at::full({1, 1}, 0.5f)).item<float>(), 0.5f);
}

TEST(SparseAutoencoder, WithoutItsDecoderItHasTheSameCodes) {
  SaeTensors tensors;
  tensors.w_enc = at::randn({3, 5});
  tensors.b_enc = at::randn({5});
  tensors.threshold = at::rand({5});
  tensors.w_dec = at::randn({5, 3});
  tensors.b_dec = at::randn({3});
  const SparseAutoencoder whole = *SparseAutoencoder::Create(tensors);
  const SparseAutoencoder encoder = whole.WithoutDecoder();
  const at::Tensor rows = at::randn({4, 3});
  EXPECT_TRUE(at::equal(encoder.Encode(rows), whole.Encode(rows)));
  EXPECT_FALSE(encoder.has_decoder());
  EXPECT_TRUE(whole.has_decoder());
}

TEST(SparseAutoencoder, DecodesToTheWidth) {
  const SaeTensors tensors = Tensors();
  const auto sae = SparseAutoencoder::Create(tensors);
  const at::Tensor codes = at::rand({4, 9});
  EXPECT_LT(RelativeError(sae->Decode(codes), at::matmul(codes, tensors.w_dec) + tensors.b_dec),
            1e-6);
}

// Against the whole matrix of codes, with and without TopK.
TEST(SparseAutoencoder, CodesOfAFewFeaturesAndTheReconstruction) {
  at::manual_seed(6);
  for (const int64_t k : {0, 40}) {
    SaeTensors tensors;  // in float64, where the order of sums does not show
    tensors.w_enc = at::randn({3, 2600}, at::kDouble);  // several blocks
    tensors.b_enc = at::randn({2600}, at::kDouble) * 0.1;
    tensors.threshold = at::full({2600}, 0.5, at::kDouble);
    tensors.w_dec = at::randn({2600, 3}, at::kDouble);
    tensors.b_dec = at::randn({3}, at::kDouble);
    tensors.top_k = k;
    const SparseAutoencoder sae = *SparseAutoencoder::Create(tensors);
    const at::Tensor rows = at::randn({1030, 3}, at::kDouble), codes = sae.Encode(rows);
    const at::Tensor columns = at::tensor({7, 2599, 1300, 0}, at::kLong);
    EXPECT_LT(RelativeError(sae.EncodeColumns(rows, columns), codes.index_select(1, columns)),
              1e-12);
    EXPECT_LT(RelativeError(sae.Reconstruct(rows), sae.Decode(codes)), 1e-10);
    EXPECT_THROW(sae.WithoutDecoder().Reconstruct(rows), c10::Error);
  }
  const at::Tensor rows = at::randn({2, 4});
  const SparseAutoencoder identity = SparseAutoencoder::Identity(4);
  EXPECT_TRUE(at::equal(identity.Reconstruct(rows), rows));
  EXPECT_TRUE(
      at::equal(identity.EncodeColumns(rows, at::tensor({2}, at::kLong)), rows.narrow(1, 2, 1)));
}

TEST(SparseAutoencoder, CanSubtractTheDecoderBiasFirst) {
  SaeTensors tensors = Tensors();
  const at::Tensor rows = at::randn({5, 6});
  const auto plain = SparseAutoencoder::Create(tensors);
  tensors.apply_b_dec_to_input = true;
  const auto shifted = SparseAutoencoder::Create(tensors);
  EXPECT_LT(RelativeError(shifted->Encode(rows), plain->Encode(rows - tensors.b_dec)), 1e-5);
  EXPECT_GT(RelativeError(shifted->Encode(rows), plain->Encode(rows)), 1e-2);
}

TEST(SparseAutoencoder, EncodesBfloat16RowsInFloat32) {
  const auto sae = SparseAutoencoder::Create(Tensors());
  const at::Tensor rows = at::randn({5, 6}).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(sae->Encode(rows), sae->Encode(rows.to(at::kFloat))));
}

TEST(SparseAutoencoder, NamesTheArrayThatIsWrong) {
  SaeTensors tensors = Tensors();
  tensors.b_enc = at::zeros({8});
  EXPECT_NE(ErrorOf(tensors).find("b_enc is Float [8]; expected floating point [9]"),
            std::string::npos);
  tensors = Tensors();
  tensors.threshold.reset();
  EXPECT_NE(ErrorOf(tensors).find("no array threshold"), std::string::npos);
  tensors = Tensors();
  tensors.w_enc[2][3] = std::numeric_limits<float>::infinity();
  EXPECT_NE(ErrorOf(tensors).find("w_enc holds a value that is not finite"), std::string::npos);
  tensors = Tensors();
  tensors.b_dec.reset();
  EXPECT_NE(ErrorOf(tensors).find("no array b_dec"), std::string::npos);
  tensors = Tensors();
  tensors.w_dec = tensors.w_dec.t();
  EXPECT_NE(ErrorOf(tensors).find("w_dec"), std::string::npos);
}

}  // namespace
}  // namespace fpo::train
