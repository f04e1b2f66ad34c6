#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

// Compares a tokenizer.json, which is used, with the tokenizer.model next to it, piece by piece.
// InvalidArgument when they belong to different tokenizers: an ordinary piece differs or is in one
// file only. A reserved piece with another name, or that only one file matches in text, adds a
// sentence to `warnings`.
absl::Status CheckTokenizersAgree(const TokenizerSpec& json, const TokenizerSpec& model,
                                  std::vector<std::string>* warnings);

}  // namespace fpo::train
