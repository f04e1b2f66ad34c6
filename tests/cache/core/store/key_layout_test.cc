#include "cache/core/store/key_layout.h"

#include "gtest/gtest.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

TEST(KeyLayout, ChunksSortByNumber) {
  const Digest id = TestKey(0);
  EXPECT_LT(ChunkKey(id, 255), ChunkKey(id, 256));
  EXPECT_LT(ChunkKey(id, 65'535), ChunkKey(id, 65'536));
  EXPECT_EQ(ChunkKey(id, 1).size(), 36u);
}

TEST(KeyLayout, RecordsOfARecipeStandTogether) {
  const std::string path = RecordPath(TestKey(1), TestKey(2));
  EXPECT_EQ(path, ToBytes(TestKey(1)) + ToBytes(TestKey(2)));
}

TEST(KeyLayout, BootNumberRoundTrips) {
  EXPECT_EQ(*DecodeBoot(EncodeBoot(0x01020304)), 0x01020304u);
  EXPECT_TRUE(absl::IsDataLoss(DecodeBoot("abc").status()));
}

TEST(KeyLayout, ManifestRoundTripsAndEveryTruncationIsRefused) {
  ManifestHeader header;
  header.id = TestKey(1);
  header.recipe_id = TestKey(2);
  header.recipe = "{\"a\":1}";
  header.total = 1234567890123;
  header.owner = "ann";
  header.name = "a job";
  header.created = absl::FromUnixNanos(1'700'000'000'123'456'789);
  header.used = header.created + absl::Hours(1);
  header.shares = {{"ann", "private"}, {"bob", "group:align"}};
  const std::string value = EncodeManifest(header);
  EXPECT_EQ(*DecodeManifest(value), header);
  for (size_t size = 0; size < value.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(value.substr(0, size)).status())) << size;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(value + "x").status()));
}

TEST(KeyLayout, AHeaderFromBeforeSharesIsForEverybody) {
  ManifestHeader header;
  header.recipe = "r";
  header.owner = "ann";
  std::string value = EncodeManifest(header);
  value.resize(value.size() - 32 - 4);  // the digest, and how many shares
  value[0] = 2;
  value += ToBytes(Sha256Of(value));
  const auto read = DecodeManifest(value);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->shares, (std::vector<ManifestShare>{{"ann", "public"}}));
}

TEST(KeyLayout, AHugeLengthInsideAValueIsRefusedWithoutAllocating) {
  ManifestHeader header;
  header.recipe = "r";
  std::string value = EncodeManifest(header);
  value.replace(65, 4, "\xff\xff\xff\xff");
  value.resize(value.size() - 32);
  value += ToBytes(Sha256Of(value));
  EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(value).status()));
}

TEST(KeyLayout, KeysRoundTrip) {
  EXPECT_EQ(*DecodeKeys(EncodeKeys(TestKeys(5))), TestKeys(5));
  EXPECT_TRUE(DecodeKeys("")->empty());
  EXPECT_TRUE(absl::IsDataLoss(DecodeKeys("short").status()));
}

TEST(KeyLayout, AnyFlippedBitOfAHeaderOrAChunkIsSeen) {
  ManifestHeader header;
  header.recipe = "recipe";
  header.pinned_until = absl::InfiniteFuture();
  const std::string value = EncodeManifest(header);
  EXPECT_EQ(DecodeManifest(value)->pinned_until, absl::InfiniteFuture());
  EXPECT_EQ(DecodeManifest(value)->retained_until, absl::InfinitePast());
  const std::string key = ChunkKey(TestKey(1), 2);
  const std::string chunk = EncodeChunk(key, TestKeys(3));
  EXPECT_EQ(*DecodeChunk(key, chunk), TestKeys(3));
  EXPECT_TRUE(absl::IsDataLoss(DecodeChunk(ChunkKey(TestKey(1), 1), chunk).status()))
      << "another chunk's keys";
  for (size_t i = 0; i < std::max(value.size(), chunk.size()); ++i) {
    std::string bad_value = value, bad_chunk = chunk;
    bad_value[i % value.size()] ^= 0x20;
    bad_chunk[i % chunk.size()] ^= 0x20;
    EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(bad_value).status())) << i;
    EXPECT_TRUE(absl::IsDataLoss(DecodeChunk(key, bad_chunk).status())) << i;
  }
}

TEST(KeyLayout, PathsCostsAndEvidenceRoundTrip) {
  const RecordPosition position{TestKey(1), TestKey(2)};
  const std::string path = RecordPath(position.recipe_id, position.key);
  EXPECT_EQ(*ParseRecordPath(path), position);
  EXPECT_TRUE(absl::IsDataLoss(ParseRecordPath(path + "x").status()));
  EXPECT_EQ(*ParseCostKey(CostKey(TestKey(4))), TestKey(4));
  EXPECT_TRUE(absl::IsDataLoss(ParseCostKey("cost/short").status()));
  EXPECT_TRUE(absl::IsDataLoss(ParseCostKey("c").status()));
  const RecipeCost cost{.records = 3, .seconds = 0.25, .flops = 1e15};
  EXPECT_EQ(*DecodeCost(EncodeCost(cost)), cost);
  EXPECT_TRUE(absl::IsDataLoss(DecodeCost("short").status()));
  const QuarantinedRecord bad{position, absl::FromUnixNanos(7), "why", "bytes"};
  const auto decoded = DecodeQuarantined(path, EncodeQuarantined(bad));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->position, position);
  EXPECT_EQ(decoded->when, bad.when);
  EXPECT_EQ(decoded->reason, "why");
  EXPECT_EQ(decoded->bytes, "bytes");
  EXPECT_TRUE(absl::IsDataLoss(DecodeQuarantined(path, "x").status()));
}

TEST(KeyLayout, IndexEntryRoundTrips) {
  const IndexEntry entry{
      .size = 70'000, .digest = TestKey(3), .quarantined = true, .created = absl::FromUnixNanos(5)};
  EXPECT_EQ(*DecodeIndexEntry(EncodeIndexEntry(entry)), entry);
  std::string unknown_state = EncodeIndexEntry(entry);
  unknown_state[0] = 2;
  EXPECT_TRUE(absl::IsDataLoss(DecodeIndexEntry(unknown_state).status()));
}

TEST(KeyLayout, AnyFlippedBitOfARecordIsSeen) {
  const PackedRecord record = TestRecord(FeatureTestRecipe(), 1);
  const std::string value = EncodeData(record);
  const auto decoded = DecodeData(record.key, value);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->bytes, record.bytes);
  EXPECT_EQ(decoded->sha256, record.sha256);
  for (size_t i = 0; i < value.size(); ++i) {
    std::string bad = value;
    bad[i] ^= 0x10;
    EXPECT_TRUE(absl::IsDataLoss(DecodeData(record.key, bad).status())) << i;
  }
}

}  // namespace
}  // namespace fpo::cache
