#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

struct TokenizerFiles {
  TokenizerSpec spec;
  std::vector<std::string> warnings;  // for the user; whole sentences
};

// Reads the tokenizer of a Hugging Face folder: tokenizer.json if there is one, as in transformers,
// else tokenizer.model; then the added and special tokens that tokenizer_config.json,
// special_tokens_map.json and added_tokens.json name.
//
// NotFound: neither file exists. InvalidArgument: the two files are of different tokenizers, a
// token has different ids in two files, there is no BOS or EOS, or a file uses an unsupported
// feature. DataLoss: a broken file. Each names file and field.
absl::StatusOr<TokenizerFiles> ReadTokenizerFolder(const std::string& folder);

// One file alone, tokenizer.json or tokenizer.model by its name; errors as above.
absl::StatusOr<TokenizerSpec> ReadTokenizerFile(const std::string& file);

}  // namespace fpo::train
