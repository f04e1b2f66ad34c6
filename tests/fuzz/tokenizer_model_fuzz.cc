// A tokenizer.model of SentencePiece; one that can be read is written as tokenizer.json and
// tokenizer_config.json, which are the same tokenizer.

#include <algorithm>
#include <cstdint>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/tokenizer_check.h"
#include "train/tokenizer/tokenizer_folder.h"
#include "train/tokenizer/tokenizer_json_writer.h"

namespace fpo::fuzz {
namespace {

// A config makes a token of what it names, also of an ordinary piece.
bool AllNamesAreTokens(const train::TokenizerSpec& spec) {
  const auto is_token = [&](const std::string& content) {
    return std::any_of(spec.added.begin(), spec.added.end(),
                       [&](const train::AddedToken& token) { return token.content == content; });
  };
  for (const auto* name : {&spec.bos, &spec.eos, &spec.pad}) {
    if (name->has_value() && !is_token(**name)) return false;
  }
  const auto& unknown = spec.bpe.unknown;
  return !unknown || is_token(spec.bpe.pieces[static_cast<size_t>(*unknown)]);
}

}  // namespace
}  // namespace fpo::fuzz

FUZZ_TARGET(tokenizer_model) {
  const std::string file = fpo::fuzz::WriteInput("tokenizer.model", fpo::fuzz::Text(data, size));
  fpo::fuzz::CheckTokenizer(file);
  const auto spec = fpo::train::ReadTokenizerFile(file);
  if (!spec.ok()) return 0;
  fpo::fuzz::WriteInput("tokenizer.json", fpo::train::TokenizerJsonText(*spec));
  fpo::fuzz::WriteInput("tokenizer_config.json", fpo::train::TokenizerConfigText(*spec));
  const auto again = fpo::train::Tokenizer::Open(fpo::fuzz::InputFolder());
  FUZZ_CHECK(again.ok());
  if (!fpo::fuzz::AllNamesAreTokens(*spec)) return 0;
  FUZZ_CHECK(again->digest() == fpo::train::Tokenizer::OpenFile(file)->digest());
  return 0;
}
