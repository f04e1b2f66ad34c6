#pragma once

#include <string>

#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

// A tokenizer.json that says what `spec` says, in the form of Gemma's published ones: transformers
// opens it without the package sentencepiece, and ReadTokenizerJson gives the same tokenizer again.
// The post-processor puts BOS in front, as the published one does. 33 MB for Gemma 3, written in
// time linear in that. `spec` is complete, as ReadTokenizerFolder gives it.
std::string TokenizerJsonText(const TokenizerSpec& spec);

// The tokenizer_config.json beside it: class, BOS, EOS, padding and unknown token, which tokens are
// added and which of them are special.
std::string TokenizerConfigText(const TokenizerSpec& spec);

}  // namespace fpo::train
