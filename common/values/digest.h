#pragma once

#include <array>
#include <cstdint>

namespace fpo {

using Digest = std::array<uint8_t, 32>;  // SHA-256

}  // namespace fpo
