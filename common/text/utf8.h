#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo {

// The code point at `*at` (< text.size()), moving `*at` behind it; -1 and `*at` unmoved where the
// bytes are not well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above
// U+10FFFF). Inline: tokenizers call it for each character.
inline int32_t NextCodePoint(absl::string_view text, size_t* at) {
  const auto byte = [&](size_t offset) { return static_cast<uint8_t>(text[*at + offset]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) {
    ++*at;
    return lead;
  }
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - *at < length) return -1;
  int32_t code = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return -1;
    code = code << 6 | (byte(i) & 0x3F);
  }
  const int32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return -1;
  *at += length;
  return code;
}

// Offset of the first byte that is not part of well-formed UTF-8; text.size() when all are.
size_t FirstInvalidUtf8(absl::string_view text);
bool IsUtf8(absl::string_view text);

// The text with every byte that is not part of well-formed UTF-8 replaced by '?'. A protobuf string
// must be well-formed: the receiver would reject the message.
std::string ToValidUtf8(std::string text);

// At most this many bytes of the text, cut between characters and marked with "..."; for messages
// of other programs, which are kept and shown in lists.
std::string ShortText(std::string text, size_t bytes_max = 2048);

}  // namespace fpo
