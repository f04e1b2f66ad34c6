#include "train/formats/sae_arrays.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

constexpr int64_t kSmallWidth = 4, kSmallFeatures = 6;

class SaeArraysTest : public ::testing::Test {
 protected:
  absl::StatusOr<SaeArrays> Read(const TensorMap& tensors, const SaeDescription& description) {
    const std::string path = folder_ / "a.safetensors";
    EXPECT_TRUE(WriteSafetensors(path, tensors).ok());
    return ReadSaeArrays({path, "", SaeFormat::kSaeLens}, description);
  }
  std::string ErrorOf(const TensorMap& tensors, const SaeDescription& description) {
    const auto arrays = Read(tensors, description);
    return arrays.ok() ? "accepted" : std::string(arrays.status().message());
  }
  const ScratchFolder folder_;
  const TensorMap lens_ = {{"W_enc", at::randn({kSmallWidth, kSmallFeatures})},
                           {"W_dec", at::randn({kSmallFeatures, kSmallWidth})},
                           {"b_enc", at::randn({kSmallFeatures})},
                           {"b_dec", at::randn({kSmallWidth})}};
};

TEST_F(SaeArraysTest, NamesOfTorchModules) {
  const TensorMap linear = {{"encoder.weight", lens_.at("W_enc").t()},
                            {"encoder.bias", lens_.at("b_enc")},
                            {"decoder.weight", lens_.at("W_dec").t()},
                            {"bias", lens_.at("b_dec")}};
  const auto arrays = Read(linear, {});
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  for (const auto& [name, tensor] : lens_) {
    const std::string lower = name == "W_enc" ? "w_enc" : name == "W_dec" ? "w_dec" : name;
    EXPECT_TRUE(at::equal(arrays->by_name.at(lower), tensor)) << name;
  }
  EXPECT_TRUE(arrays->notes.empty());
}

TEST_F(SaeArraysTest, AnEncoderInTheOtherOrientationIsTurnedAndSaid) {
  TensorMap turned = lens_;
  turned["W_enc"] = lens_.at("W_enc").t();
  turned["W_dec"] = lens_.at("W_dec").t();
  const auto arrays = Read(turned, {});
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  EXPECT_TRUE(at::equal(arrays->by_name.at("w_enc"), lens_.at("W_enc")));
  EXPECT_TRUE(at::equal(arrays->by_name.at("w_dec"), lens_.at("W_dec")));
  ASSERT_EQ(arrays->notes.size(), 1u);
  EXPECT_TRUE(absl::StrContains(arrays->notes[0], "[6, 4], [features, width]"));
  // One matrix alone in the other orientation fits nothing.
  turned["W_dec"] = lens_.at("W_dec");
  EXPECT_TRUE(at::equal(Read(turned, {})->by_name.at("w_enc"), turned["W_enc"]));
}

TEST_F(SaeArraysTest, WhatContradictsTheConfigIsRefused) {
  SaeDescription description;
  description.d_in = 5;
  EXPECT_TRUE(absl::StrContains(ErrorOf(lens_, description), "width 5, its arrays have 4"));
  description.d_in = kSmallWidth;
  description.d_sae = 7;
  EXPECT_TRUE(absl::StrContains(ErrorOf(lens_, description), "features 7, its arrays have 6"));
  description.d_sae = kSmallFeatures;
  description.top_k = 9;
  EXPECT_TRUE(absl::StrContains(ErrorOf(lens_, description), "its k is 9, but it has only 6"));
  description.top_k = 3;
  TensorMap more = lens_;
  more["k"] = at::scalar_tensor(5, at::kInt);
  EXPECT_TRUE(absl::StrContains(ErrorOf(more, description), "k 3, its array k says 5"));
  more["k"] = at::scalar_tensor(3, at::kInt);
  EXPECT_EQ(ErrorOf(more, description), "accepted");
}

TEST_F(SaeArraysTest, OtherKindsAreNamed) {
  for (const char* name : {"r_mag", "b_gate", "gate_bias", "b_mag"}) {
    TensorMap more = lens_;
    more[name] = at::zeros({kSmallFeatures});
    EXPECT_TRUE(absl::StrContains(ErrorOf(more, {}), "gated")) << name;
  }
  TensorMap more = lens_;
  more["W_skip"] = at::zeros({kSmallWidth, kSmallWidth});
  EXPECT_TRUE(absl::StrContains(ErrorOf(more, {}), "skip"));
  more = lens_;
  more["scaling_factor"] = at::full({kSmallFeatures}, 2.0);
  EXPECT_TRUE(absl::StrContains(ErrorOf(more, {}), "scaling_factor"));
  more = lens_;
  more["encoder.bias"] = at::zeros({kSmallFeatures});
  EXPECT_TRUE(absl::StrContains(ErrorOf(more, {}), "is a second b_enc"));
  more = lens_;
  more["W_enc"] = at::zeros({kSmallWidth, kSmallFeatures}, at::kChar);
  EXPECT_TRUE(absl::StrContains(ErrorOf(more, {}), "not floating point"));
  more = lens_;
  more["num_batches_not_active"] = at::zeros({kSmallFeatures});
  EXPECT_TRUE(absl::StrContains(Read(more, {})->notes.at(0), "is not used"));
}

TEST_F(SaeArraysTest, OneThresholdIsOfAllFeatures) {
  SaeDescription batch;
  batch.batch_threshold = true;
  TensorMap more = lens_;
  more["topk_threshold"] = at::scalar_tensor(0.5, at::kDouble);
  const auto arrays = Read(more, batch);
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  EXPECT_TRUE(
      at::equal(arrays->by_name.at("threshold"), at::full({kSmallFeatures}, 0.5, at::kDouble)));
  more["topk_threshold"] = at::scalar_tensor(-1.0, at::kDouble);  // dictionary_learning: not set
  EXPECT_TRUE(absl::StrContains(ErrorOf(more, batch), "never measured"));
  more = lens_;
  more["log_threshold"] = at::full({kSmallFeatures}, 0.25);
  EXPECT_TRUE(at::allclose(Read(more, {})->by_name.at("threshold"),
                           at::full({kSmallFeatures}, 0.25).exp()));
}

// x . W of the scaled x is x . (s W); the decoder and its bias are divided.
TEST_F(SaeArraysTest, TheFactorOfTheActivationsIsFolded) {
  SaeDescription description;
  description.norm_factor = 0.5;
  SaeArrays arrays = *Read(lens_, description);
  FoldSaeArrays(description, &arrays);
  EXPECT_TRUE(at::allclose(arrays.by_name.at("w_enc"), lens_.at("W_enc") * 0.5));
  EXPECT_TRUE(at::allclose(arrays.by_name.at("w_dec"), lens_.at("W_dec") * 2));
  EXPECT_TRUE(at::allclose(arrays.by_name.at("b_dec"), lens_.at("b_dec") * 2));
  EXPECT_TRUE(at::equal(arrays.by_name.at("b_enc"), lens_.at("b_enc")));
}

TEST_F(SaeArraysTest, TheScaleOfTheCodesGoesIntoTheDecoder) {
  SaeDescription description;
  description.finetuned = true;
  TensorMap more = lens_;
  more["finetuning_scaling_factor"] = at::full({kSmallFeatures}, 3.0);
  SaeArrays arrays = *Read(more, description);
  FoldSaeArrays(description, &arrays);
  EXPECT_TRUE(at::allclose(arrays.by_name.at("w_dec"), lens_.at("W_dec") * 3));
  EXPECT_TRUE(at::equal(arrays.by_name.at("w_enc"), lens_.at("W_enc")));
  EXPECT_TRUE(arrays.notes.empty());
  const SaeArrays without = *Read(lens_, description);
  ASSERT_EQ(without.notes.size(), 1u);
  EXPECT_TRUE(absl::StrContains(without.notes[0], "that array is missing")) << without.notes[0];
}

}  // namespace
}  // namespace fpo::train
