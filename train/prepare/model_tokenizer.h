#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// The tokenizer of a model folder, held against the folder's config.json: InvalidArgument, naming
// both numbers, when it has ids that the embedding has no row for. A folder without a tokenizer
// gives one that is absent: rows of ids below vocab_size can be read with it and rows of text are
// an error that says what is missing. BOS and EOS are then those of config.json, or Gemma's.
// NotFound when there is no config.json either.
absl::StatusOr<Tokenizer> OpenModelTokenizer(const std::string& folder);

}  // namespace fpo::train
