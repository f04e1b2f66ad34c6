#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace fpo::train {

// A text as the set of its runs of five tokens (all of it, if it is shorter): their hashes,
// ascending, each once. Sets of the same hash family can be compared and merged.
using Shingles = std::vector<uint64_t>;
inline constexpr size_t kShingleTokens = 5;

// Adds those of `ids`; Finish sorts and removes repetitions once all texts are added.
void AddShingles(absl::Span<const int32_t> ids, Shingles* shingles);
void FinishShingles(Shingles* shingles);

// |a and b| / |a or b|, exactly but for collisions of 64-bit hashes; 1 for two empty sets.
double Jaccard(const Shingles& a, const Shingles& b);

// MinHash with banding (Broder, 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets,
// 3.4): 120 minima in bands of six. Two sets agree in a whole band with probability
// 1 - (1 - J^6)^20: 0.998 at J = 0.8, 0.92 at 0.7, 0.27 at 0.5, 0.01 at 0.3.
inline constexpr size_t kBands = 20, kBandRows = 6;
using BandKeys = std::array<uint64_t, kBands>;
std::array<uint32_t, kBands * kBandRows> MinHash(const Shingles& shingles);
BandKeys BandKeysOf(const Shingles& shingles);

}  // namespace fpo::train
