#pragma once

#include <bit>
#include <cstdint>

namespace fpo {

// IEEE binary16 and float, without _Float16, which not every compiler has.

// The nearest half, ties to even; too large for one becomes an infinity, a NaN a quiet NaN.
inline uint16_t HalfBits(float value) {
  constexpr uint32_t kInfinity = 0x7f800000;
  constexpr uint32_t kRoundsToInfinity = 0x477ff000;  // 65520
  constexpr uint32_t kSmallestNormal = 0x38800000;    // 2^-14
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t size = bits & 0x7fffffff;
  uint32_t half = 0;
  if (size > kInfinity) {
    half = 0x7e00 | (size >> 13 & 0x3ff);
  } else if (size >= kRoundsToInfinity) {
    half = 0x7c00;
  } else if (size >= kSmallestNormal) {
    half = (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13;
  } else {  // subnormal: at 0.5 a float's last place is 2^-24, as in such a half
    half =
        std::bit_cast<uint32_t>(std::bit_cast<float>(size) + 0.5f) - std::bit_cast<uint32_t>(0.5f);
  }
  return static_cast<uint16_t>(sign | half);
}

// Exact.
inline float FromHalfBits(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t exponent = bits >> 10 & 0x1f;
  const uint32_t fraction = bits & 0x3ff;
  if (exponent == 0) {
    const float size = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(size));
  }
  const uint32_t wide = exponent == 0x1f ? 0xff : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

}  // namespace fpo
