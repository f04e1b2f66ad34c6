#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

// Reads a tokenizer.model: SentencePiece's protobuf, BPE with Gemma's settings. Every error names
// `file`. DataLoss: another kind of file, or a broken one. InvalidArgument: another kind of model,
// or settings that Gemma does not have, such as a normaliser or an added leading space.
//
// The pieces become merges in the order of their scores, as in the tokenizer.json that Google
// publishes with the same file, so the ids are those of Hugging Face's tokenizer and not those of
// the SentencePiece library, which splits runs of more than 31 spaces differently and never reads
// "<unk>" in a text. Control, unknown and user-defined pieces become added tokens; turn and
// image marks are special among them, as Google's tokenizer_config.json says.
absl::StatusOr<TokenizerSpec> ReadSentencePieceModel(absl::string_view bytes,
                                                     const std::string& file);

}  // namespace fpo::train
