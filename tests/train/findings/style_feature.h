#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "common/reference/record_key.h"
#include "tests/train/findings/styled_pairs.h"
#include "train/findings/feature_spans.h"
#include "train/findings/find_features.h"
#include "train/reference/reference_file.h"
#include "train/reference/reference_plan.h"
#include "train/reference/scorer.h"

namespace fpo::train {

inline constexpr int64_t kStyleFeature = 5, kTestFeatures = 8;

// Pairs of which half begins with the style, and an SAE whose feature 5 reads the direction of
// the style's middle token at that layer; the others those of random tokens.
class StyleFeature {
 public:
  StyleFeature() : pairs_(StyledPairs(240, 2, 31)) {
    WriteTokenPairs(pairs_, tiny_.Path("pairs"));
    file_ = std::make_unique<TokenFile>(*TokenFile::Open(tiny_.Path("pairs")));
    model_ = std::make_unique<LoadedModel>(*LoadModel({tiny_.Path("model")}));
    saes_ = {MakeSae()};
    Record();
  }
  absl::StatusOr<Findings> Find() {
    const auto tokenizer = Tokenizer::Absent({absl::NotFoundError("none"), 61, 2, 1});
    const PairTexts texts(*file_, *file_, tokenizer);
    const PairFeatures features(*records_, *file_, {kTestFeatures});
    Findings findings;
    const absl::Status status =
        FindFeatures({features, *file_, texts, model_->model, saes_}, &findings);
    if (!status.ok()) return status;
    return findings;
  }
  const TokenPair& pair(int64_t i) const { return pairs_[static_cast<size_t>(i)]; }
  const Gemma& model() const { return model_->model; }
  const LoadedSae& sae() const { return saes_.front(); }

 private:
  // The hidden vector after layer 1 at a token of a pair's chosen response.
  at::Tensor HiddenAt(size_t pair, int64_t token) const {
    LoadedSae hidden{SparseAutoencoder::Identity(24), {1, Site::kResidPost}, "", "", {}};
    std::vector<at::Tensor> values;
    for (int64_t i = 0; i < 24; ++i) {
      const auto column =
          TokenActivations(model_->model, hidden, i, {pairs_[pair].prompt, pairs_[pair].chosen});
      values.push_back(at::scalar_tensor((*column)[static_cast<size_t>(token)], at::kFloat));
    }
    return at::stack(values);
  }
  LoadedSae MakeSae() const {
    SaeTensors tensors;
    tensors.w_enc = at::zeros({24, kTestFeatures}, at::kFloat);
    for (int64_t f = 0; f < kTestFeatures; ++f) {
      const bool is_style = f == kStyleFeature;
      const at::Tensor hidden = HiddenAt(is_style ? 0 : static_cast<size_t>(2 * f + 1), 1);
      tensors.w_enc.select(1, f).copy_(hidden / hidden.norm() / hidden.norm());
    }
    tensors.b_enc = at::zeros({kTestFeatures}, at::kFloat);
    tensors.threshold = at::full({kTestFeatures}, 0.8, at::kFloat);
    return {
        *SparseAutoencoder::Create(tensors), {1, Site::kResidPost}, "", std::string(64, 'b'), {}};
  }
  void Record() {
    std::vector<Sequence> sequences;
    std::vector<ReferenceResponse> responses;
    std::set<Digest> seen;  // a file has each record once
    for (const TokenPair& pair : pairs_) {
      for (const std::vector<int32_t>* side : {&pair.chosen, &pair.rejected}) {
        if (!seen.insert(RecordKey(pair.prompt, *side)).second) continue;
        sequences.push_back({pair.prompt, *side});
        responses.push_back({RecordKey(pair.prompt, *side), pair.prompt, *side});
      }
    }
    Scorer::Options options;
    options.saes = saes_;
    const auto records = Scorer(model_->model, options).Score(sequences, nullptr);
    const Recipe recipe = MakeRecipe(
        {std::string(64, 'a'), model_->model.config().architecture, "float32", "cpu"}, saes_);
    ASSERT_TRUE(WriteRecords(tiny_.Path("r.fpr"), recipe, responses, *records).ok());
    records_ = *RecordFile::Open(tiny_.Path("r.fpr"));
  }

  TinyRun tiny_;
  std::vector<TokenPair> pairs_;
  std::unique_ptr<TokenFile> file_;
  std::unique_ptr<LoadedModel> model_;
  std::vector<LoadedSae> saes_;
  std::unique_ptr<RecordFile> records_;
};

}  // namespace fpo::train
