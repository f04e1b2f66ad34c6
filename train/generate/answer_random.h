#pragma once

#include <cstdint>

namespace fpo::train {

// The random numbers of one answer. They depend on the seed, the answer's index and how many were
// drawn before, on nothing else: not on what is generated beside it.
class AnswerRandom {
 public:
  AnswerRandom(uint64_t seed, uint64_t index) : state_(Mix(Mix(seed) + kStep * (index + 1))) {}

  // In [0, 1), of 53 random bits.
  double Next() {
    state_ += kStep;
    return static_cast<double>(Mix(state_) >> 11) * 0x1.0p-53;
  }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;

  // SplitMix64.
  static uint64_t Mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  }

  uint64_t state_;
};

}  // namespace fpo::train
