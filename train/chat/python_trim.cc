#include "train/chat/python_trim.h"

#include <cstddef>
#include <cstdint>

#include "common/text/utf8.h"

namespace fpo::train {
namespace {

bool IsPythonSpace(int32_t c) {
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace

absl::string_view PythonTrimEnd(absl::string_view text) {
  while (!text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && (static_cast<uint8_t>(text[last]) & 0xC0) == 0x80) --last;
    size_t end = last;
    if (!IsPythonSpace(NextCodePoint(text, &end)) || end != text.size()) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

absl::string_view PythonTrim(absl::string_view text) {
  while (!text.empty()) {
    size_t end = 0;
    if (!IsPythonSpace(NextCodePoint(text, &end))) break;
    text.remove_prefix(end);
  }
  return PythonTrimEnd(text);
}

}  // namespace fpo::train
