#include "train/features/sae_fit_meter.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/features/planted_models.h"

namespace fpo::train {
namespace {

std::vector<Sequence> ChosenOf(const std::vector<TokenPair>& pairs) {
  std::vector<Sequence> sequences;
  for (const TokenPair& pair : pairs) sequences.push_back({pair.prompt, pair.chosen});
  return sequences;
}

// The golden test has the values (tests/golden/feature_golden_test.cc).
TEST(SaeFitMeter, AnSaeWithoutLossRecoversAll) {
  const Gemma model = PlantedModel(0);
  // Both signs of every coordinate.
  SaeTensors tensors;
  tensors.w_enc = at::cat({at::eye(24), -at::eye(24)}, 1);
  tensors.b_enc = at::zeros({48});
  tensors.threshold = at::zeros({48});
  tensors.w_dec = tensors.w_enc.t();
  tensors.b_dec = at::zeros({24});
  for (const int64_t layer : {0, 2}) {
    const LoadedSae sae = {*SparseAutoencoder::Create(tensors), Tap{layer, Site::kResidPost}, "",
                           "", std::nullopt};
    SaeFitMeter meter(model, sae);
    const std::vector<TokenPair> pairs = RandomPairs(5, 1);
    ASSERT_TRUE(meter.Add(ChosenOf(pairs)).ok());
    const SaeFit fit = meter.Fit();
    EXPECT_NEAR(*fit.fvu, 0, 1e-10);
    EXPECT_NEAR(fit.l0, 24, 1e-9);
    EXPECT_NEAR(*fit.ce_sae, *fit.ce, 1e-5);
    EXPECT_NE(*fit.ce_zero, *fit.ce);
    if (fit.loss_recovered) EXPECT_NEAR(*fit.loss_recovered, 1, 1e-3);
    // Zeros before the final norm: every token is as likely as every other.
    if (layer == 2) EXPECT_NEAR(*fit.ce_zero, std::log(61.0), 1e-5);
  }
}

TEST(SaeFitMeter, WithoutADecoderItsLossIsUnknown) {
  const Gemma model = PlantedModel(0);
  LoadedSae sae = CoordinateSae().front();
  sae.sae = sae.sae.WithoutDecoder();
  SaeFitMeter meter(model, sae);
  const std::vector<TokenPair> pairs = RandomPairs(2, 1);
  ASSERT_TRUE(meter.Add(ChosenOf(pairs)).ok());
  EXPECT_GT(meter.Fit().l0, 0);
  EXPECT_TRUE(meter.Fit().ce_zero.has_value());
  EXPECT_FALSE(meter.Fit().fvu.has_value());
  EXPECT_FALSE(meter.Fit().ce_sae.has_value());
  EXPECT_FALSE(meter.Fit().loss_recovered.has_value());
}

TEST(SaeFitMeter, OfNothingIsNothing) {
  const Gemma model = PlantedModel(0);
  const LoadedSae sae = CoordinateSae().front();
  EXPECT_EQ(SaeFitMeter(model, sae).Fit(), SaeFit());
}

}  // namespace
}  // namespace fpo::train
