#include "train/statistics/min_hash.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "train/statistics/random_bits.h"

namespace fpo::train {
namespace {

// Sets of numbers from `from` on, mixed as shingles are.
Shingles Numbers(uint64_t from, uint64_t count) {
  Shingles numbers;
  for (uint64_t i = 0; i < count; ++i) numbers.push_back(MixBits(from + i));
  FinishShingles(&numbers);
  return numbers;
}

Shingles ShinglesOfIds(const std::vector<int32_t>& ids) {
  Shingles shingles;
  AddShingles(ids, &shingles);
  FinishShingles(&shingles);
  return shingles;
}

TEST(MinHash, ShinglesAreRunsOfFiveTokens) {
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5};
  EXPECT_EQ(ShinglesOfIds(ids).size(), 6u) << "seven runs, of which the first comes back";
  EXPECT_EQ(ShinglesOfIds({1, 2, 3}).size(), 1u);
  EXPECT_NE(ShinglesOfIds({1, 2, 3}), ShinglesOfIds({1, 2, 4}));
  EXPECT_NE(ShinglesOfIds({1, 2, 3, 4, 5}), ShinglesOfIds({5, 4, 3, 2, 1}));
  EXPECT_NE(ShinglesOfIds({0}), ShinglesOfIds({0, 0})) << "the number of tokens counts";
}

TEST(MinHash, JaccardIsExact) {
  EXPECT_EQ(Jaccard(Numbers(0, 10), Numbers(5, 10)), 5.0 / 15);
  EXPECT_EQ(Jaccard(Numbers(0, 10), Numbers(0, 10)), 1);
  EXPECT_EQ(Jaccard(Numbers(0, 10), Numbers(10, 10)), 0);
  EXPECT_EQ(Jaccard({}, {}), 1);
}

// The share of equal minima is Binomial(120, J) / 120; here the mean over 200 pairs of sets.
TEST(MinHash, MinimaAgreeAsOftenAsTheIndexSays) {
  for (const uint64_t shared : {10, 50, 80, 95}) {
    const double jaccard = static_cast<double>(shared) / static_cast<double>(200 - shared);
    double agree = 0;
    constexpr int kSets = 200;
    for (uint64_t set = 0; set < kSets; ++set) {
      const auto a = MinHash(Numbers(1000 * set, 100));
      const auto b = MinHash(Numbers(1000 * set + 100 - shared, 100));
      for (size_t j = 0; j < a.size(); ++j) agree += a[j] == b[j];
    }
    const double draws = kSets * 120.0;
    const double error = std::sqrt(jaccard * (1 - jaccard) / draws);
    EXPECT_NEAR(agree / draws, jaccard, 4 * error) << shared;
  }
}

TEST(MinHash, BandsAgreeAsOftenAsTheHeaderSays) {
  const auto share_found = [](uint64_t shared) {
    int found = 0;
    for (uint64_t set = 0; set < 400; ++set) {
      const BandKeys a = BandKeysOf(Numbers(1000 * set, 180));
      const BandKeys b = BandKeysOf(Numbers(1000 * set + 180 - shared, 180));
      bool any = false;
      for (size_t band = 0; band < kBands; ++band) any |= a[band] == b[band];
      found += any;
    }
    return found / 400.0;
  };
  EXPECT_GE(share_found(160), 0.98) << "J = 0.8: 0.998";
  EXPECT_NEAR(share_found(120), 0.27, 0.09) << "J = 0.5";
  EXPECT_LE(share_found(40), 0.02) << "J = 0.125";
}

TEST(MinHash, BandsOfOneSetDiffer) {
  const BandKeys keys = BandKeysOf(Numbers(0, 50));
  EXPECT_EQ(std::set<uint64_t>(keys.begin(), keys.end()).size(), kBands);
}

}  // namespace
}  // namespace fpo::train
