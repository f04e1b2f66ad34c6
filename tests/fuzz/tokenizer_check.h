#pragma once

#include <string>

#include "tests/fuzz/fuzz_check.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::fuzz {

// A tokenizer that could be opened encodes a text into ids of its own, and decodes them.
inline void CheckTokenizer(const std::string& file) {
  const auto tokenizer = train::Tokenizer::OpenFile(file);
  if (!tokenizer.ok()) {
    FUZZ_CHECK(!tokenizer.status().message().empty());
    return;
  }
  FUZZ_CHECK(tokenizer->size() > 0);
  FUZZ_CHECK(tokenizer->bos() >= 0 && tokenizer->bos() < tokenizer->size());
  const auto ids = tokenizer->Encode("<bos>the model,  \n\xC3\xA9\xF0\x9F\x98\x80 abc<unk>");
  if (!ids.ok()) return;
  for (const int32_t id : *ids) {
    FUZZ_CHECK(id >= 0 && id < tokenizer->size());
    (void)tokenizer->PieceOf(id);
  }
  FUZZ_CHECK(tokenizer->Decode(*ids).ok());
}

}  // namespace fpo::fuzz
