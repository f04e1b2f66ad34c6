// A tokenizer.model of SentencePiece; one that can be read is written as a tokenizer.json, which is
// the same tokenizer.

#include <cstdint>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/tokenizer_check.h"
#include "train/tokenizer/tokenizer_folder.h"
#include "train/tokenizer/tokenizer_json_writer.h"

FUZZ_TARGET(tokenizer_model) {
  const std::string file = fpo::fuzz::WriteInput("tokenizer.model", fpo::fuzz::Text(data, size));
  fpo::fuzz::CheckTokenizer(file);
  const auto spec = fpo::train::ReadTokenizerFile(file);
  if (!spec.ok()) return 0;
  const std::string json =
      fpo::fuzz::WriteInput("tokenizer.json", fpo::train::TokenizerJsonText(*spec));
  const auto again = fpo::train::Tokenizer::OpenFile(json);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->digest() == fpo::train::Tokenizer::OpenFile(file)->digest());
  return 0;
}
