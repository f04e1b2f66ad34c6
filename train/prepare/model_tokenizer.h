#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// Opens the tokenizer of a model folder (of a checkpoint: see ModelHome) and checks it against
// config.json: InvalidArgument, naming both numbers, when it has ids without a row in the
// embedding. A folder without a tokenizer gives an absent one: rows of ids below vocab_size are
// accepted, and rows of text are an error that says what is missing. BOS and EOS are then those of
// config.json, or Gemma's. NotFound when config.json is missing too.
absl::StatusOr<Tokenizer> OpenModelTokenizer(const std::string& model);

}  // namespace fpo::train
