#include "cache/core/bucket/bucket_reader.h"

#include <thread>

#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "gmock/gmock.h"
#include "tests/cache/core/bucket/bucket_site.h"

namespace fpo::cache {
namespace {

constexpr int kRecords = 12;

class BucketReaderTest : public ::testing::Test {
 protected:
  // Site "aa" has filled the bucket.
  void SetUp() override {
    manifest_ = first_.Filled(recipe_, kRecords);
    ASSERT_TRUE(first_.writer_->Step().ok());
    segments_ = KeysBelow(objects_, "segments/");
    ASSERT_GT(segments_.size(), 2u);
  }
  int RecordsOf(const std::string& segment) {
    const auto index = DecodeIndex(objects_.Bytes(first_.IndexKey(recipe_, manifest_)));
    for (const BucketSegment& each : index->segments) {
      if (SegmentName(first_.root_, each.sha256).key == segment) return each.keys.size();
    }
    return -1;
  }
  // An index of "aa" that names one segment of these bytes for all keys of the manifest.
  void Pretend(const std::string& bytes) {
    BucketSegment segment{Sha256Of(bytes), static_cast<int64_t>(bytes.size()), {}};
    for (int i = 0; i < kRecords; ++i) segment.keys.push_back(KeyStart(TestKey(i)));
    objects_.Set(SegmentName(first_.root_, segment.sha256).key, bytes);
    objects_.Set(first_.IndexKey(recipe_, manifest_),
                 EncodeIndex({CanonicalRecipe(recipe_), {segment}}));
  }
  std::string FileOf(const Recipe& recipe, const std::vector<PackedRecord>& records) {
    const fpo::testing::TempFolder folder;
    const auto writer = RecordFileWriter::Create(folder / "f.fpr", recipe);
    for (const PackedRecord& record : records) EXPECT_TRUE((*writer)->Add(record).ok());
    EXPECT_TRUE((*writer)->Finish().ok());
    return fpo::testing::ReadWhole(folder / "f.fpr");
  }

  const Recipe recipe_ = FeatureTestRecipe();
  fpo::testing::MemoryObjects objects_;
  BucketSite first_{"aa", &objects_};
  BucketSite second_{"bb", &objects_};
  Digest manifest_{};
  std::vector<std::string> segments_;
};

TEST_F(BucketReaderTest, AnEmptyCacheOfAnotherSiteGetsEverything) {
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.Missing(id), 0);
  const auto header = second_.cache_->BeginPull(id);
  ASSERT_TRUE(header.ok()) << header.status();
  const auto records = second_.cache_->ReadRange(*header, 0, kRecords);
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_EQ(*records, TestRecords(recipe_, kRecords));
  EXPECT_EQ(second_.counters_.fetched_records, kRecords);
  EXPECT_EQ(second_.counters_.refused, 0);
  EXPECT_TRUE(second_.FolderIsEmpty()) << "the segments are gone";
  // The forms without features came with them.
  EXPECT_EQ(second_.Missing(second_.Register(MarginRecipe(recipe_), TestKeys(kRecords))), 0);
  const int64_t read = objects_.bytes_read();
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(objects_.bytes_read(), read) << "nothing is missing";
}

TEST_F(BucketReaderTest, TakesWhatAnotherManifestOfTheRecipeHas) {
  std::vector<Digest> keys = TestKeys(3, 100);
  for (int i = 0; i < 4; ++i) keys.push_back(TestKey(i));
  const Digest id = second_.Register(recipe_, keys);
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.Missing(id), 3);
  EXPECT_EQ(second_.counters_.fetched_records, 4);
  const Digest other = second_.Register(MarginTestRecipe(), TestKeys(2, 200));
  const int64_t read = objects_.bytes_read();
  ASSERT_TRUE(second_.reader_->Fetch(other).ok());
  EXPECT_EQ(objects_.bytes_read(), read) << "another recipe's indexes are not read";
}

TEST_F(BucketReaderTest, ADamagedSegmentIsRefusedAndCostsNothingElse) {
  std::string bytes = objects_.Bytes(segments_[1]);
  bytes[bytes.size() / 2] ^= 1;
  objects_.Set(segments_[1], bytes);
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.counters_.refused, 1);
  EXPECT_EQ(second_.Missing(id), RecordsOf(segments_[1]));
  EXPECT_EQ(first_.Missing(manifest_), 0);
  EXPECT_TRUE(second_.FolderIsEmpty());
}

// A whole file of the recipe and the keys, but not the one that was named.
TEST_F(BucketReaderTest, ASegmentOfAnotherNameIsRefused) {
  std::vector<PackedRecord> others;
  for (int i = 0; i < kRecords; ++i) others.push_back(TestRecord(recipe_, i, /*value=*/1));
  for (const std::string& segment : segments_) objects_.Set(segment, FileOf(recipe_, others));
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.counters_.refused, static_cast<int64_t>(segments_.size()));
  EXPECT_EQ(second_.Missing(id), kRecords);
}

TEST_F(BucketReaderTest, ALostSegmentCostsItsRecordsOnly) {
  ASSERT_TRUE(objects_.Delete({"bucket", segments_[0]}).ok());
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.counters_.refused, 1);
  EXPECT_EQ(second_.Missing(id), RecordsOf(segments_[0]));
}

// Its digest is right, since whoever wrote it computed it over what he wrote.
TEST_F(BucketReaderTest, ALyingSegmentIsRefused) {
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  Recipe other = recipe_;  // records of it look the same
  other.model_digest = ToHex(Sha256Of("another model"));
  Pretend(FileOf(other, TestRecords(other, kRecords)));
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.counters_.refused, 1) << "another recipe";
  Pretend("no record file at all");
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.counters_.refused, 2);
  std::string flipped = FileOf(recipe_, TestRecords(recipe_, kRecords));
  flipped[flipped.size() / 3] ^= 1;
  Pretend(flipped);
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.counters_.refused, 3) << "its own digests do not match";
  EXPECT_EQ(second_.Missing(id), kRecords);
  // Records that were not asked for are not stored.
  Pretend(FileOf(recipe_, TestRecords(recipe_, 5, 500)));
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.Missing(id), kRecords);
  EXPECT_EQ(second_.store_.Totals().records, 0);
}

TEST_F(BucketReaderTest, ADamagedIndexLeavesThoseOfOtherSites) {
  BucketSite third("0c", &objects_);
  third.Filled(recipe_, kRecords);
  ASSERT_TRUE(third.writer_->Step().ok());
  objects_.Set(third.IndexKey(recipe_, manifest_), "{\"version\":1");
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.counters_.refused, 1);
  EXPECT_EQ(second_.Missing(id), 0);
}

TEST_F(BucketReaderTest, ABrokenTransferStoresNothingOfTheSegment) {
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  objects_.break_after = 10;
  EXPECT_TRUE(absl::IsUnavailable(second_.reader_->Fetch(id)));
  EXPECT_EQ(second_.Missing(id), kRecords);
  ASSERT_TRUE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.Missing(id), 0);
}

TEST_F(BucketReaderTest, AFullDiskEndsTheTransfer) {
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  second_.store_.FailWritesForTest(absl::ResourceExhaustedError("the disk is full"));
  EXPECT_FALSE(second_.reader_->Fetch(id).ok());
  EXPECT_EQ(second_.counters_.refused, 0) << "the segment is not to blame";
}

TEST_F(BucketReaderTest, AnAbsentBucketIsLeftAloneForAWhile) {
  BucketSite lost("dd", &objects_, "nowhere");
  const Digest id = lost.Register(recipe_, TestKeys(kRecords));
  lost.reader_->Start();
  lost.reader_->FetchUntil(id, BootNow() + absl::Seconds(30));
  EXPECT_EQ(lost.counters_.fetch_failures, 1);
  lost.reader_->FetchUntil(id, BootNow() + absl::Seconds(30));
  EXPECT_EQ(lost.counters_.fetch_failures, 1) << "not asked again";
  EXPECT_EQ(lost.Missing(id), kRecords);
}

TEST_F(BucketReaderTest, ASlowBucketIsNotWaitedForAndItsRecordsComeLater) {
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  absl::Notification go_on;
  objects_.before_read = [&] { go_on.WaitForNotification(); };
  second_.reader_->Start();
  second_.reader_->FetchUntil(id, BootNow());
  EXPECT_EQ(second_.counters_.timeouts, 1);
  EXPECT_EQ(second_.Missing(id), kRecords);
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back([&] { second_.reader_->FetchUntil(id, BootNow() + absl::Seconds(60)); });
  }
  go_on.Notify();
  for (std::thread& other : others) other.join();
  EXPECT_EQ(second_.Missing(id), 0);
  EXPECT_EQ(second_.counters_.fetched_records, kRecords) << "one transfer for all";
}

TEST_F(BucketReaderTest, StoppingEndsEveryWait) {
  const Digest id = second_.Register(recipe_, TestKeys(kRecords));
  absl::Notification reading, go_on;
  objects_.before_read = [&] {
    reading.Notify();
    go_on.WaitForNotification();
  };
  second_.reader_->Start();
  std::thread waiting([&] { second_.reader_->FetchUntil(id, absl::InfiniteFuture()); });
  reading.WaitForNotification();
  second_.reader_->RequestStop();
  waiting.join();
  second_.reader_->FetchUntil(id, absl::InfiniteFuture());
  go_on.Notify();
  second_.reader_->Stop();
}

}  // namespace
}  // namespace fpo::cache
