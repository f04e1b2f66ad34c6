#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// The text of an answer while it is generated. A character of several byte tokens is held back
// until it is whole: every piece is valid UTF-8, and together they are what Decode gives for all
// ids. Special tokens are left out. Not thread-safe.
class TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // The text that this id completes; often "" inside of a character.
  std::string Add(int32_t id);
  // The rest, once the last id is there.
  std::string Finish();

 private:
  bool IsByte(int32_t id) const;
  std::string AddBytes(int32_t id);

  const Tokenizer& tokenizer_;
  std::vector<int32_t> held_;  // byte tokens
  std::string bytes_;          // of a byte-level encoding: the beginning of a character
};

}  // namespace fpo::train
