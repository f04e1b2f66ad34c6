#pragma once

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "train/data/token_file.h"
#include "train/findings/findings.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// Pairs of a prepared folder as texts for people, with tokens that are no text written out by name.
// Thread-safe.
class PairTexts {
 public:
  // What is passed outlives the object. Without a tokenizer tokens are shown as numbers.
  PairTexts(const TokenFile& train, const TokenFile& eval, const Tokenizer& tokenizer)
      : train_(train), eval_(eval), tokenizer_(tokenizer) {}

  // Texts above 4,000 bytes are cut: prompts at their beginning, responses at their end.
  ShownPair Show(bool is_eval, int64_t index) const;
  std::string Decode(absl::Span<const int32_t> ids) const;  // whole

 private:
  const TokenFile& train_;
  const TokenFile& eval_;
  const Tokenizer& tokenizer_;
};

}  // namespace fpo::train
