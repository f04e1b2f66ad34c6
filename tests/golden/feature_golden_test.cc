// Feature reports against transformers' own models in float64 with hooks at the SAEs' sites
// (make_feature_goldens.py).

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/golden/golden_case.h"
#include "tests/train/support/scratch_folder.h"
#include "train/data/token_file.h"
#include "train/features/feature_survey.h"
#include "train/formats/safetensors.h"

namespace fpo::train {
namespace {

constexpr int64_t kFeatures = 32;

class FeatureGoldenTest : public ::testing::TestWithParam<const char*> {
 protected:
  struct Place {
    const char* name;
    Tap tap;
  };
  static constexpr int64_t kPlaces = 4;
  const Place places_[kPlaces] = {{"first_resid", {0, Site::kResidPost}},
                                  {"mlp_out", {1, Site::kMlpOut}},
                                  {"attn_z", {1, Site::kAttnZ}},
                                  {"last_resid", {2, Site::kResidPost}}};

  void SetUp() override {
    golden_ = std::make_unique<GoldenCase>(GetParam(), at::kCPU);
    const char* root = std::getenv("FPO_SOURCE_DIR");
    auto file = SafetensorsFile::Open(std::string(root == nullptr ? "." : root) +
                                      "/tests/golden/features.safetensors");
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *file;
    WritePairs();
  }

  at::Tensor Expected(const std::string& name) const {
    auto tensor = file_->Tensor(std::string(GetParam()) + "." + name);
    TORCH_CHECK(tensor.ok(), tensor.status().ToString());
    return tensor->clone();
  }

  void WritePairs() {
    const at::Tensor ids = golden_->Expected("batch.ids"), start = golden_->Expected("batch.start");
    const auto cut = [&](int64_t row, int64_t first, int64_t count) {
      std::vector<int32_t> cut;
      for (int64_t t = first; t < first + count; ++t) {
        cut.push_back(static_cast<int32_t>(ids[row][t].item<int64_t>()));
      }
      return cut;
    };
    TokenFileWriter writer;
    for (int64_t i = 0; i < kGoldenPairs; ++i) {
      const auto response = [&](int64_t row) {
        return cut(row, start[row].item<int64_t>(), golden_->lengths()[row].item<int64_t>());
      };
      TokenPair pair;
      pair.prompt = cut(i, 0, start[i].item<int64_t>());
      pair.chosen = response(i);
      pair.rejected = response(i + kGoldenPairs);
      pair.row = 100 + i;
      writer.Add(pair);
    }
    ASSERT_TRUE(writer.Write(scratch_ / "eval.safetensors", {}).ok());
  }

  std::vector<LoadedSae> Saes() const {
    std::vector<LoadedSae> saes;
    for (const Place& place : places_) {
      const std::string width = place.tap.site == Site::kAttnZ ? "40" : "24";
      SaeTensors tensors;
      tensors.w_enc = golden_->Expected("sae" + width + ".w_enc");
      tensors.b_enc = golden_->Expected("sae" + width + ".b_enc");
      tensors.threshold = golden_->Expected("sae" + width + ".threshold");
      tensors.w_dec = Expected("w_dec" + width);
      tensors.b_dec = Expected("b_dec" + width);
      auto sae = SparseAutoencoder::Create(tensors);
      TORCH_CHECK(sae.ok(), sae.status().ToString());
      saes.push_back({*sae, place.tap, place.name, "digest", std::nullopt});
    }
    return saes;
  }

  Survey SurveyAll(int64_t tokens_per_batch) const {
    auto pairs = TokenFile::Open(scratch_ / "eval.safetensors");
    TORCH_CHECK(pairs.ok(), pairs.status().ToString());
    const Gemma policy = golden_->MakeModel(), reference = golden_->MakeReference();
    const std::vector<LoadedSae> saes = Saes();
    const Tokenizer none = Tokenizer::Absent({absl::NotFoundError("none"), 61, 2, 1});
    SurveyOptions options;
    options.top = kFeatures;  // all of them are listed
    options.spans = 1;
    options.tokens_per_batch = tokens_per_batch;
    auto survey = SurveyFeatures({policy, &reference, nullptr, saes, none}, *pairs, 100, options);
    TORCH_CHECK(survey.ok(), survey.status().ToString());
    return *std::move(survey);
  }

  ScratchFolder scratch_;
  std::unique_ptr<GoldenCase> golden_;
  std::shared_ptr<const SafetensorsFile> file_;
};

void ExpectSide(const FeatureSide& side, const at::Tensor& expected) {
  const double ours[] = {side.before, side.after,         side.moved,
                         side.share,  side.active_before, side.active_after};
  for (int64_t i = 0; i < 6; ++i) {
    const double value = expected[i].item<double>();
    EXPECT_NEAR(ours[i], value, 2e-5 * std::max(1.0, std::abs(value))) << "column " << i;
  }
}

void ExpectFit(const SaeFit& fit, const at::Tensor& expected) {
  const double ours[] = {fit.l0, *fit.fvu, *fit.ce, *fit.ce_sae, *fit.ce_zero};
  for (int64_t i = 0; i < 5; ++i) {
    const double value = expected[i].item<double>();
    EXPECT_NEAR(ours[i], value, 2e-5 * std::max(1.0, std::abs(value))) << "column " << i;
  }
  const double clean = expected[2].item<double>(), zeros = expected[4].item<double>();
  ASSERT_EQ(fit.loss_recovered.has_value(), zeros > clean);
  if (zeros <= clean) return;
  // A difference of two losses over another: each is off by the tolerance above.
  const double recovered = expected[5].item<double>();
  const double off = 2 * 2e-5 * std::max({clean, zeros, expected[3].item<double>()});
  EXPECT_NEAR(*fit.loss_recovered, recovered, off * (1 + std::abs(recovered)) / (zeros - clean));
}

TEST_P(FeatureGoldenTest, MovementSpansAndFitAtEverySite) {
  // In one batch, and pair by pair.
  for (const int64_t tokens : {16384, 1}) {
    const Survey survey = SurveyAll(tokens);
    EXPECT_EQ(survey.pairs, kGoldenPairs);
    ASSERT_EQ(survey.saes.size(), static_cast<size_t>(kPlaces));
    for (size_t s = 0; s < survey.saes.size(); ++s) {
      const SaeMovement& sae = survey.saes[s];
      const std::string name = places_[s].name;
      SCOPED_TRACE(name + " in batches of " + std::to_string(tokens));
      const at::Tensor chosen = Expected(name + ".chosen");
      const at::Tensor rejected = Expected(name + ".rejected");
      const at::Tensor strongest = Expected(name + ".strongest");
      ASSERT_GT(sae.moved.size(), 20u);
      for (const MovedFeature& feature : sae.moved) {
        SCOPED_TRACE(feature.index);
        ExpectSide(*feature.chosen, chosen[feature.index]);
        ExpectSide(*feature.rejected, rejected[feature.index]);
        ASSERT_EQ(feature.spans.size(), 1u);
        const FeatureSpan& span = feature.spans.front();
        const auto response = strongest[feature.index][0].item<int64_t>();
        EXPECT_EQ(span.pair + (span.side == "rejected" ? kGoldenPairs : 0), response);
        EXPECT_EQ(span.row, 100 + span.pair);
        EXPECT_EQ(span.position + span.strongest, strongest[feature.index][1].item<int64_t>());
        const auto at = static_cast<size_t>(span.strongest);
        EXPECT_NEAR(std::max(*span.before[at], *span.after[at]),
                    strongest[feature.index][2].item<double>(), 2e-5);
      }
      // Ranked by |mean change|; what is listed is all that moved.
      const at::Tensor change = (chosen.select(1, 1) - chosen.select(1, 0)).abs();
      double last = change.max().item<double>() + 1e-6;
      for (const int64_t index : sae.chosen) {
        const double now = change[index].item<double>();
        EXPECT_LE(now, last + 2e-5);
        last = now;
      }
      EXPECT_EQ(static_cast<int64_t>(sae.chosen.size()), change.gt(0).sum().item<int64_t>());
      EXPECT_EQ(sae.floor, 0);
      ExpectFit(*sae.before, Expected(name + ".fit.before"));
      ExpectFit(*sae.after, Expected(name + ".fit.after"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, FeatureGoldenTest, ::testing::Values("gemma2", "gemma3"));

}  // namespace
}  // namespace fpo::train
