#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

// Reads a tokenizer.model: SentencePiece's protobuf, BPE with Gemma's settings. `file` is named in
// every error. DataLoss: not such a file, or broken. InvalidArgument: another kind of model or
// settings that Gemma does not have, such as a normaliser or a space put in front.
//
// The pieces become merges in the order of their scores, as in the tokenizer.json that Google
// publishes beside the same file, so the ids are those of Hugging Face's tokenizer and not those of
// the SentencePiece library, which cuts runs of more than 31 spaces otherwise and never reads
// "<unk>" in a text. Control, unknown and user-defined pieces become added tokens.
absl::StatusOr<TokenizerSpec> ReadSentencePieceModel(absl::string_view bytes,
                                                     const std::string& file);

}  // namespace fpo::train
