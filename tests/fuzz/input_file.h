#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo::fuzz {

// An input as a text.
inline absl::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A folder in memory, of this process, that is removed when it ends: "/dev/shm/fpo-fuzz.PID".
const std::string& InputFolder();

// Writes the bytes as InputFolder()/name, over the last input, and returns the path.
std::string WriteInput(const std::string& name, absl::string_view bytes);

}  // namespace fpo::fuzz
