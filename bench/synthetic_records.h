#pragma once

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/core/store/key_layout.h"
#include "common/reference/packed_record.h"
#include "common/reference/recipe.h"

namespace fpo {

// Synthetic records: ascending feature indices with gaps and values like pooled activations.
class SyntheticRecords {
 public:
  SyntheticRecords(int64_t count, int features) : features_(features) {
    recipe_.model_digest = ToHex(Sha256Of("model"));
    recipe_.forward = "gemma-1";
    recipe_.dtype = "bfloat16";
    recipe_.device = "cuda";
    recipe_.sae.push_back({.digest = ToHex(Sha256Of("sae")), .layer = 12, .site = "resid_post"});
    for (int64_t i = 0; i < count; ++i) keys_.push_back(Sha256Of(absl::StrCat("record ", i)));
  }
  const Recipe& recipe() const { return recipe_; }
  const std::vector<Digest>& keys() const { return keys_; }
  std::string KeyBytes(size_t from, size_t count) const {
    return cache::EncodeKeys(absl::MakeConstSpan(keys_).subspan(from, count));
  }
  PackedRecord Make(size_t i) const {
    std::minstd_rand random(static_cast<unsigned>(i + 1));
    Record record;
    record.sum_logp = -0.01 * static_cast<double>(random() % 100000);
    record.tokens = 400;
    record.features.emplace_back();
    uint32_t index = 0;
    const int count = features_ / 2 + static_cast<int>(random() % static_cast<unsigned>(features_));
    for (int f = 0; f < count; ++f) {
      index += 1 + random() % 20;
      record.features[0].emplace_back(index, 1e-6f * static_cast<float>(1 + random() % 4000000));
    }
    return Pack(keys_[i], record);
  }

 private:
  const int features_;
  Recipe recipe_;
  std::vector<Digest> keys_;
};

}  // namespace fpo
