#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

// Reads a tokenizer.json as Hugging Face's `tokenizers` library writes it for Gemma: BPE with byte
// fallback, a normaliser of fixed replacements, added tokens. Every error names `file`. DataLoss:
// another kind of file, or a broken field, which is named. InvalidArgument: an unsupported
// component; the message says what was found and what is supported.
//
// Not applied: `post_processor` (the chat template writes <bos> itself), `truncation` and `padding`
// (transformers sets its own at every call).
absl::StatusOr<TokenizerSpec> ReadTokenizerJson(absl::string_view text, const std::string& file);

}  // namespace fpo::train
