#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

// Holds a tokenizer.json, which is used, against the tokenizer.model beside it, piece by piece.
// InvalidArgument when they are of different tokenizers: an ordinary piece differs or is in one
// file only. A reserved piece that got another name, or that one file finds in text and the other
// does not, is a sentence added to `warnings`.
absl::Status CheckTokenizersAgree(const TokenizerSpec& json, const TokenizerSpec& model,
                                  std::vector<std::string>* warnings);

}  // namespace fpo::train
