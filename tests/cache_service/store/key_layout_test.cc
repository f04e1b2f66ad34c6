#include "cache_service/store/key_layout.h"

#include "gtest/gtest.h"
#include "tests/cache_service/store/test_records.h"

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
  const std::string value = EncodeManifest(header);
  EXPECT_EQ(*DecodeManifest(value), header);
  for (size_t size = 0; size < value.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(value.substr(0, size)).status())) << size;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(value + "x").status()));
}

TEST(KeyLayout, AHugeLengthInsideAValueIsRefusedWithoutAllocating) {
  ManifestHeader header;
  header.recipe = "r";
  std::string value = EncodeManifest(header);
  value.replace(65, 4, "\xff\xff\xff\xff");
  EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(value).status()));
}

TEST(KeyLayout, KeysRoundTrip) {
  EXPECT_EQ(*DecodeKeys(EncodeKeys(TestKeys(5))), TestKeys(5));
  EXPECT_TRUE(DecodeKeys("")->empty());
  EXPECT_TRUE(absl::IsDataLoss(DecodeKeys("short").status()));
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
