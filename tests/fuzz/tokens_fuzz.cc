// A token file.

#include <cstdint>
#include <string>

#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "train/data/context_id.h"
#include "train/data/token_file.h"

FUZZ_TARGET(tokens) {
  using fpo::train::TokenPairView;
  const auto file = fpo::train::TokenFile::Open(
      fpo::fuzz::WriteInput("tokens.safetensors", fpo::fuzz::Text(data, size)));
  if (!file.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(file.status()));
    return 0;
  }
  for (int64_t i = 0; i < file->size(); ++i) {
    const TokenPairView pair = file->pair(i);
    FUZZ_CHECK(!pair.prompt.empty() && !pair.chosen.empty());
    for (const int32_t id : pair.prompt) FUZZ_CHECK(id >= 0 && id <= file->greatest_id());
    for (const auto& side : {pair.chosen, pair.rejected}) {
      FUZZ_CHECK(side.empty() || fpo::train::ScoredTokens(side) > 0);
      for (const int32_t id : side) FUZZ_CHECK(fpo::train::TokenOf(id) <= file->greatest_id());
    }
    FUZZ_CHECK(!file->has_rejected() || !pair.rejected.empty());
    FUZZ_CHECK(file->LongestSequence(i) > 1);
    FUZZ_CHECK(file->row_id(i).size() <= size);
  }
  file->digest();
  return 0;
}
