#pragma once

#include <cstdint>

namespace fpo::train {

// SplitMix64's finaliser: every bit of the result depends on every bit of the value.
inline uint64_t MixBits(uint64_t value) {
  value += 0x9E3779B97F4A7C15u;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

}  // namespace fpo::train
