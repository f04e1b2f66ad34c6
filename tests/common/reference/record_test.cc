#include "common/reference/record.h"

#include <cmath>
#include <random>

#include "common/reference/recipe.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

Record SampleRecord() { return {-41.25, 17, {{{3, 0.5f}, {80, 1.25f}, {100000, 2.f}}, {}}}; }

TEST(Record, RoundTripsAndIsCompact) {
  const std::string bytes = EncodeRecord(SampleRecord());
  EXPECT_EQ(*DecodeRecord(bytes), SampleRecord());
  // version, sum, tokens, two lists: deltas take 1 + 1 + 3 bytes, values 12.
  EXPECT_EQ(bytes.size(), 1u + 8 + 1 + 1 + (1 + 5 + 12) + 1);
  EXPECT_EQ(*DecodeRecord(EncodeRecord(Record{-1, 1, {}})), (Record{-1, 1, {}}));
}

TEST(Record, HalfTakesTwoBytesAValueAndIsOffByItsBound) {
  Record record = {-41.25, 17, {{{3, 0.1f}, {80, 3000.7f}, {90, 1e-9f}, {100000, -2e-6f}}}};
  const Record exact = record;
  ASSERT_TRUE(RoundToHalf(&record).ok());
  ASSERT_EQ(record.features[0].size(), 3u) << "1e-9 is nothing in float16";
  EXPECT_EQ(record.features[0][2].first, 100000u);
  for (const size_t kept : {0, 1}) {
    const float value = exact.features[0][kept].second;
    EXPECT_NEAR(record.features[0][kept].second, value, std::ldexp(value, -11));
    EXPECT_NE(record.features[0][kept].second, value);
  }
  EXPECT_NEAR(record.features[0][2].second, -2e-6f, std::ldexp(1.0, -25));
  const std::string bytes = EncodeRecord(record);
  EXPECT_EQ(bytes.size(), 1u + 8 + 1 + 1 + (1 + 5 + 6));
  EXPECT_EQ(*DecodeRecord(bytes), record);
  EXPECT_FALSE(MarginOnly(record).half);
}

TEST(Record, HalfRefusesWhatItCannotHold) {
  Record record = {-1, 1, {{{7, 65504.f}, {8, 65520.f}}}};
  const absl::Status status = RoundToHalf(&record);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_NE(status.message().find("feature 8 is 65520"), absl::string_view::npos) << status;
}

TEST(Record, BelongsToRecipesOfItsKindOnly) {
  Recipe recipe;
  recipe.sae.resize(2);
  EXPECT_TRUE(CheckBelongs(SampleRecord(), recipe).ok());
  recipe.values = "float16";
  EXPECT_FALSE(CheckBelongs(SampleRecord(), recipe).ok());
  Record half = SampleRecord();
  ASSERT_TRUE(RoundToHalf(&half).ok());
  EXPECT_TRUE(CheckBelongs(half, recipe).ok());
  recipe.sae.pop_back();
  EXPECT_FALSE(CheckBelongs(half, recipe).ok());
}

TEST(Record, MarginKeepsOnlyTheMargin) {
  EXPECT_EQ(MarginOnly(SampleRecord()), (Record{-41.25, 17, {}}));
}

TEST(Record, DamageIsAnErrorOrADifferentValueButNeverACrash) {
  std::mt19937 random(11);
  Record half = SampleRecord();
  ASSERT_TRUE(RoundToHalf(&half).ok());
  for (int i = 0; i < 40000; ++i) {
    const std::string bytes = EncodeRecord(i % 2 == 0 ? SampleRecord() : half);
    std::string damaged = bytes.substr(0, random() % (bytes.size() + 1));
    if (!damaged.empty())
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    const auto record = DecodeRecord(damaged);
    if (record.ok()) {
      EXPECT_EQ(EncodeRecord(*record), damaged);
    }
  }
  EXPECT_FALSE(DecodeRecord(EncodeRecord(SampleRecord()) + "x").ok());
  EXPECT_FALSE(DecodeRecord("").ok());
}

}  // namespace
}  // namespace fpo
