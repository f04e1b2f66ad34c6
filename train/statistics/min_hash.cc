#include "train/statistics/min_hash.h"

#include <algorithm>
#include <limits>

#include "train/statistics/random_bits.h"

namespace fpo::train {
namespace {

// Random odd factors and summands: hash j of x is the upper half of factor * x + summand.
struct HashFamily {
  std::array<uint64_t, kBands * kBandRows> factor, summand;

  HashFamily() : factor(), summand() {
    for (size_t j = 0; j < factor.size(); ++j) {
      factor[j] = MixBits(2 * j) | 1;
      summand[j] = MixBits(2 * j + 1);
    }
  }
};

uint64_t HashOfIds(absl::Span<const int32_t> ids) {
  uint64_t hash = ids.size();
  for (const int32_t id : ids) hash = MixBits(hash ^ static_cast<uint32_t>(id));
  return hash;
}

}  // namespace

void AddShingles(absl::Span<const int32_t> ids, Shingles* shingles) {
  if (ids.size() < kShingleTokens) {
    shingles->push_back(HashOfIds(ids));
    return;
  }
  for (size_t i = 0; i + kShingleTokens <= ids.size(); ++i) {
    shingles->push_back(HashOfIds(ids.subspan(i, kShingleTokens)));
  }
}

void FinishShingles(Shingles* shingles) {
  std::sort(shingles->begin(), shingles->end());
  shingles->erase(std::unique(shingles->begin(), shingles->end()), shingles->end());
}

double Jaccard(const Shingles& a, const Shingles& b) {
  size_t shared = 0;
  for (auto i = a.begin(), k = b.begin(); i != a.end() && k != b.end();) {
    if (*i == *k) {
      ++shared;
      ++i;
      ++k;
    } else {
      ++(*i < *k ? i : k);
    }
  }
  const size_t together = a.size() + b.size() - shared;
  return together == 0 ? 1 : static_cast<double>(shared) / static_cast<double>(together);
}

std::array<uint32_t, kBands * kBandRows> MinHash(const Shingles& shingles) {
  static const HashFamily family;
  std::array<uint32_t, kBands * kBandRows> least;
  least.fill(std::numeric_limits<uint32_t>::max());
  for (const uint64_t shingle : shingles) {
    for (size_t j = 0; j < least.size(); ++j) {
      const auto hash =
          static_cast<uint32_t>((family.factor[j] * shingle + family.summand[j]) >> 32);
      least[j] = std::min(least[j], hash);
    }
  }
  return least;
}

BandKeys BandKeysOf(const Shingles& shingles) {
  const auto least = MinHash(shingles);
  BandKeys keys{};
  for (size_t band = 0; band < kBands; ++band) {
    uint64_t key = band;
    for (size_t row = 0; row < kBandRows; ++row) key = MixBits(key ^ least[band * kBandRows + row]);
    keys[band] = key;
  }
  return keys;
}

}  // namespace fpo::train
