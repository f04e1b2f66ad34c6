#include "common/text/utf8.h"

namespace fpo {

size_t FirstInvalidUtf8(absl::string_view text) {
  size_t at = 0;
  while (at < text.size() && NextCodePoint(text, &at) >= 0) {
  }
  return at;
}

bool IsUtf8(absl::string_view text) { return FirstInvalidUtf8(text) == text.size(); }

std::string ToValidUtf8(std::string text) {
  for (size_t at = 0; at < text.size();) {
    if (NextCodePoint(text, &at) < 0) text[at++] = '?';
  }
  return text;
}

std::string ShortText(std::string text, size_t bytes_max) {
  constexpr absl::string_view kMark = "...";
  if (text.size() <= bytes_max || bytes_max < kMark.size()) return text;
  size_t end = bytes_max - kMark.size();
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  text.replace(end, std::string::npos, kMark.data(), kMark.size());
  return text;
}

}  // namespace fpo
