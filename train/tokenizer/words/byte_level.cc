#include "train/tokenizer/words/byte_level.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "common/text/utf8.h"

namespace fpo::train {
namespace {

constexpr char kReplacementCharacter[] = "\xEF\xBF\xBD";  // U+FFFD
constexpr int32_t kFirstOther = 0x100;

bool IsItself(int32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct ByteChars {
  std::array<int32_t, 256> code_of_byte{};
  std::array<int16_t, 0x150> byte_of_code{};  // -1: none

  ByteChars() {
    byte_of_code.fill(-1);
    int32_t next = kFirstOther;
    for (int32_t byte = 0; byte < 256; ++byte) {
      const int32_t code = IsItself(byte) ? byte : next++;
      code_of_byte[static_cast<size_t>(byte)] = code;
      byte_of_code[static_cast<size_t>(code)] = static_cast<int16_t>(byte);
    }
  }
};

const ByteChars& Chars() {
  static const ByteChars chars;
  return chars;
}

// Bytes of the longest beginning of a character at `at`, at least 1; what is there is no character.
size_t BrokenPart(absl::string_view bytes, size_t at) {
  const auto byte = [&](size_t offset) { return static_cast<uint8_t>(bytes[at + offset]); };
  const uint8_t lead = byte(0);
  if (lead < 0xC2 || lead > 0xF4) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  // The second byte of some leads has a narrower range: no overlong forms, no surrogates.
  const uint8_t least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  size_t part = 1;
  while (part < length && at + part < bytes.size()) {
    const bool fits = part == 1 ? byte(1) >= least && byte(1) <= most : (byte(part) & 0xC0) == 0x80;
    if (!fits) break;
    ++part;
  }
  return part;
}

}  // namespace

std::string ByteCharsOf(absl::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 2);
  for (const char c : bytes) {
    const int32_t code = Chars().code_of_byte[static_cast<uint8_t>(c)];
    if (code < 0x80) {
      out.push_back(static_cast<char>(code));
    } else {
      out.push_back(static_cast<char>(0xC0 | code >> 6));
      out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    }
  }
  return out;
}

void AppendBytesOf(absl::string_view piece, std::string* bytes) {
  const size_t before = bytes->size();
  for (size_t at = 0; at < piece.size();) {
    const int32_t code = NextCodePoint(piece, &at);
    const auto& table = Chars().byte_of_code;
    const bool known = code >= 0 && code < static_cast<int32_t>(table.size()) &&
                       table[static_cast<size_t>(code)] >= 0;
    if (!known) {
      bytes->resize(before);
      bytes->append(piece.data(), piece.size());
      return;
    }
    bytes->push_back(static_cast<char>(table[static_cast<size_t>(code)]));
  }
}

size_t WholeCharacters(absl::string_view bytes) {
  for (size_t part = 1; part <= std::min<size_t>(3, bytes.size()); ++part) {
    const size_t at = bytes.size() - part;
    const auto lead = static_cast<uint8_t>(bytes[at]);
    if ((lead & 0xC0) == 0x80) continue;
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
    return part < length && BrokenPart(bytes, at) == part ? at : bytes.size();
  }
  return bytes.size();
}

std::string LossyUtf8(absl::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t good = FirstInvalidUtf8(bytes.substr(at));
    out.append(bytes.data() + at, good);
    at += good;
    if (at == bytes.size()) break;
    out += kReplacementCharacter;
    at += BrokenPart(bytes, at);
  }
  return out;
}

}  // namespace fpo::train
