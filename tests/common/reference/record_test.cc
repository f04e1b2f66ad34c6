#include "common/reference/record.h"

#include <random>

#include "gtest/gtest.h"

namespace fpo {
namespace {

Record Sample() { return {-41.25, 17, {{{3, 0.5f}, {80, 1.25f}, {100000, 2.f}}, {}}}; }

TEST(Record, RoundTripsAndIsCompact) {
  const std::string bytes = EncodeRecord(Sample());
  EXPECT_EQ(*DecodeRecord(bytes), Sample());
  // version, sum, tokens, two lists: deltas take 1 + 1 + 3 bytes, values 12.
  EXPECT_EQ(bytes.size(), 1u + 8 + 1 + 1 + (1 + 5 + 12) + 1);
  EXPECT_EQ(*DecodeRecord(EncodeRecord(Record{-1, 1, {}})), (Record{-1, 1, {}}));
}

TEST(Record, MarginKeepsOnlyTheMargin) {
  EXPECT_EQ(MarginOnly(Sample()), (Record{-41.25, 17, {}}));
}

TEST(Record, DamageIsAnErrorOrADifferentValueButNeverACrash) {
  std::mt19937 random(11);
  const std::string bytes = EncodeRecord(Sample());
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = bytes.substr(0, random() % (bytes.size() + 1));
    if (!damaged.empty())
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    const auto record = DecodeRecord(damaged);
    if (record.ok()) {
      EXPECT_EQ(EncodeRecord(*record), damaged);
    }
  }
  EXPECT_FALSE(DecodeRecord(bytes + "x").ok());
  EXPECT_FALSE(DecodeRecord("").ok());
}

}  // namespace
}  // namespace fpo
