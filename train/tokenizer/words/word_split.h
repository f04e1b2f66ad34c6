#pragma once

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// The pre-tokenizers of Llama 3 and Qwen, whose patterns differ in the longest run of digits:
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,DIGITS}|
//   ?[^\s\p{L}\p{N}]+[\r\n]*| \s*[\r\n]+|\s+(?!\S)|\s+
// Walks well-formed UTF-8: `word` receives every stretch, which together are the text.
void SplitWords(absl::string_view text, int digits_max,
                absl::FunctionRef<void(absl::string_view)> word);

// The digits_max of a pattern as files write it; 0 for any other pattern.
int DigitsOfWordPattern(absl::string_view pattern);

}  // namespace fpo::train
