#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo {

// Numbers as little-endian bytes, the order of every file and message here.
template <typename T>
void AppendLittleEndian(T value, std::string* out) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "add a byte swap for this machine");
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

// Seven bits per byte, lowest first; a set high bit means that more follow.
inline void AppendVarint(uint32_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

// Reads from the front of bytes it does not own. Every read checks bounds; on false the reader has
// not moved.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  size_t remaining() const { return rest_.size(); }

  template <typename T>
  bool Read(T* value) {
    if (rest_.size() < sizeof(T)) return false;
    std::memcpy(value, rest_.data(), sizeof(T));
    rest_.remove_prefix(sizeof(T));
    return true;
  }

  bool ReadBytes(size_t count, absl::string_view* bytes) {
    if (rest_.size() < count) return false;
    *bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return true;
  }

  // Accepts only the shortest form of a number, so that equal values have equal bytes.
  bool ReadVarint(uint32_t* value) {
    uint64_t result = 0;
    for (size_t i = 0; i < 5 && i < rest_.size(); ++i) {
      const auto byte = static_cast<uint8_t>(rest_[i]);
      result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
      if ((byte & 0x80) != 0) continue;
      if ((i > 0 && byte == 0) || result > UINT32_MAX) return false;
      *value = static_cast<uint32_t>(result);
      rest_.remove_prefix(i + 1);
      return true;
    }
    return false;
  }

 private:
  absl::string_view rest_;
};

}  // namespace fpo
