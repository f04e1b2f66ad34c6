#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>

#include "absl/strings/numbers.h"

namespace fpo::testing {

// How often a chaos test repeats: its quick count, or what the environment says (the long tier:
// scripts/chaos_cache.sh).
inline int Rounds(const char* variable, int quick) {
  const char* text = std::getenv(variable);
  int rounds = quick;
  if (text != nullptr && !absl::SimpleAtoi(text, &rounds)) rounds = quick;
  return rounds;
}

// For many small stores: a file system in memory, where there is one. What a killed process wrote
// stays there as it does on a disk.
inline std::string FastFolder() {
  return std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
}

// A generator whose seed is printed, so that a failure can be repeated with FPO_TEST_SEED.
inline std::mt19937_64 SeededRandom() {
  const int seed = Rounds("FPO_TEST_SEED", 1);
  std::cout << "FPO_TEST_SEED=" << seed << "\n";
  return std::mt19937_64(static_cast<uint64_t>(seed));
}

// Flips one bit.
inline void FlipBit(std::string* bytes, uint64_t bit) {
  (*bytes)[bit / 8] = static_cast<char>((*bytes)[bit / 8] ^ (1 << (bit % 8)));
}

}  // namespace fpo::testing
