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

}  // namespace fpo
