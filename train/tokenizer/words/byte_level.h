#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo::train {

// Byte-level encodings spell each byte by a character that can be seen: printable ones of Latin-1
// by themselves, the others from U+0100 on, so that the space is U+0120.
std::string ByteCharsOf(absl::string_view bytes);

// Appends the bytes of a piece; of one that has another character, such as an added token, its own.
void AppendBytesOf(absl::string_view piece, std::string* bytes);

// How many bytes there are before a character at the end that further bytes may complete.
size_t WholeCharacters(absl::string_view bytes);

// With U+FFFD for each maximal part of a character that is not complete, as Rust's from_utf8_lossy.
std::string LossyUtf8(absl::string_view bytes);

}  // namespace fpo::train
