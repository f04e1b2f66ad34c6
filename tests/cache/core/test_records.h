#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/reference/recipe.h"
#include "common/reference/record.h"
#include "common/reference/record_file.h"
#include "common/reference/record_key.h"

namespace fpo::cache {

inline Recipe MarginTestRecipe() {
  Recipe recipe;
  recipe.model_digest = ToHex(Sha256Of("model"));
  recipe.forward = "gemma-1";
  recipe.dtype = "float32";
  recipe.device = "cpu";
  return recipe;
}

inline Recipe FeatureTestRecipe() {
  Recipe recipe = MarginTestRecipe();
  SaeRecipe sae;
  sae.digest = ToHex(Sha256Of("sae"));
  sae.layer = 3;
  sae.site = "resid_post";
  recipe.sae.push_back(sae);
  return recipe;
}

inline Digest TestKey(int i) { return Sha256Of(absl::StrCat("key ", i)); }

inline std::vector<Digest> TestKeys(int count, int first = 0) {
  std::vector<Digest> keys;
  for (int i = 0; i < count; ++i) keys.push_back(TestKey(first + i));
  return keys;
}

// A record of key `i`; another `value` gives other bytes.
inline PackedRecord TestRecord(const Recipe& recipe, int i, double value = 0) {
  Record record;
  record.sum_logp = -10.0 - i - value;
  record.tokens = 7;
  for (size_t s = 0; s < recipe.sae.size(); ++s) record.features.push_back({{1, 0.5f}, {9, 2.0f}});
  PackedRecord packed;
  packed.key = TestKey(i);
  packed.bytes = EncodeRecord(record);
  packed.sha256 = Sha256Of(packed.bytes);
  return packed;
}

inline std::vector<PackedRecord> TestRecords(const Recipe& recipe, int count, int first = 0) {
  std::vector<PackedRecord> records;
  for (int i = 0; i < count; ++i) records.push_back(TestRecord(recipe, first + i));
  return records;
}

inline std::string Pack(const std::vector<PackedRecord>& records) {
  std::string packed;
  for (const PackedRecord& record : records) AppendPacked(record, &packed);
  return packed;
}

}  // namespace fpo::cache
