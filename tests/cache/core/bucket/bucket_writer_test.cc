#include "cache/core/bucket/bucket_writer.h"

#include "absl/strings/match.h"
#include "common/reference/record_file.h"
#include "gmock/gmock.h"
#include "tests/cache/core/bucket/bucket_site.h"

namespace fpo::cache {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class BucketWriterTest : public ::testing::Test {
 protected:
  const Recipe recipe_ = FeatureTestRecipe();
  fpo::testing::MemoryObjects objects_;
  BucketSite site_{"aa", &objects_};
};

TEST_F(BucketWriterTest, SendsACompleteManifestInSegmentsAndItsIndexLast) {
  const Digest id = site_.Filled(recipe_, 10);
  ASSERT_TRUE(site_.writer_->Step().ok());
  const std::vector<std::string> changes = objects_.changes();
  ASSERT_GT(changes.size(), 3u) << "several segments";
  EXPECT_EQ(changes.back(), site_.IndexKey(recipe_, id));
  EXPECT_THAT(KeysBelow(objects_, "sites/"), SizeIs(1));
  std::vector<PackedRecord> records;
  for (size_t i = 0; i + 1 < changes.size(); ++i) {
    const std::string bytes = objects_.Bytes(changes[i]);
    EXPECT_EQ(changes[i], SegmentName(site_.root_, Sha256Of(bytes)).key);
    const fpo::testing::TempFolder folder;
    fpo::testing::WriteWhole(folder / "s.fpr", bytes);
    const auto file = RecordFile::Open(folder / "s.fpr");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->recipe(), recipe_);
    for (int64_t r = 0; r < (*file)->size(); ++r) records.push_back(*(*file)->At(r));
  }
  EXPECT_EQ(records, TestRecords(recipe_, 10));
  EXPECT_EQ(site_.counters_.sent_manifests, 1);
  EXPECT_EQ(site_.counters_.pending, 0);
}

TEST_F(BucketWriterTest, WaitsUntilAManifestIsComplete) {
  const Digest id = site_.Register(recipe_, TestKeys(3));
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_THAT(objects_.Keys(), IsEmpty());
  site_.Filled(recipe_, 3);
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_THAT(KeysBelow(objects_, "sites/"), ElementsAre(site_.IndexKey(recipe_, id)));
}

TEST_F(BucketWriterTest, SendsOnlyWhatEverybodyMayRead) {
  site_.Filled(recipe_, 3, 0, "private");
  site_.Filled(recipe_, 3, 10, "group:lab");
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_THAT(objects_.Keys(), IsEmpty());
  EXPECT_EQ(site_.counters_.pending, 0);
  // Another owner shares the first one with everybody.
  const Digest id = site_.Register(recipe_, TestKeys(3), "public", "bob");
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_THAT(KeysBelow(objects_, "sites/"), ElementsAre(site_.IndexKey(recipe_, id)));
}

// The process ends, or the bucket goes away, between the segments and the index.
TEST_F(BucketWriterTest, HalfAManifestIsSeenByNobodyAndContinuedLater) {
  const Digest id = site_.Filled(recipe_, 10);
  objects_.on_put = [&](const std::string& key) {
    if (absl::StrContains(key, "/sites/")) objects_.put_failure = absl::UnavailableError("away");
  };
  EXPECT_TRUE(absl::IsUnavailable(site_.writer_->Step()));
  EXPECT_EQ(site_.counters_.pending, 1);
  const size_t segments = KeysBelow(objects_, "segments/").size();
  EXPECT_GT(segments, 2u);
  EXPECT_THAT(KeysBelow(objects_, "sites/"), IsEmpty());
  BucketSite other("bb", &objects_);
  const Digest same = other.Register(recipe_, TestKeys(10));
  EXPECT_TRUE(other.reader_->Fetch(same).ok());
  EXPECT_EQ(other.Missing(same), 10);

  objects_.on_put = nullptr;
  objects_.put_failure = absl::OkStatus();
  site_.Restart();
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_EQ(objects_.changes().size(), segments + 1) << "no segment was sent twice";
  EXPECT_EQ(objects_.changes().back(), site_.IndexKey(recipe_, id));
}

TEST_F(BucketWriterTest, SendsNothingAgainAfterARestart) {
  site_.Filled(recipe_, 10);
  ASSERT_TRUE(site_.writer_->Step().ok());
  const std::vector<std::string> before = objects_.changes();
  site_.Restart();
  ASSERT_TRUE(site_.writer_->Step().ok());
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_EQ(objects_.changes(), before);
  EXPECT_EQ(site_.counters_.pending, 0);
}

TEST_F(BucketWriterTest, TouchesNothingOfAnotherSiteAndDeletesNothing) {
  const Digest id = site_.Filled(recipe_, 5);
  const std::string foreign = NameOf(site_.root_, {"bb", RecipeId(recipe_), id}).key;
  objects_.Set(foreign, "what the other site wrote");
  objects_.Set("fpo/elsewhere", "of somebody");
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_EQ(objects_.Bytes(foreign), "what the other site wrote");
  EXPECT_EQ(objects_.Bytes("fpo/elsewhere"), "of somebody");
  for (const std::string& change : objects_.changes()) {
    EXPECT_TRUE(absl::StartsWith(change, "fpo/records/segments/") ||
                absl::StartsWith(change, "fpo/records/sites/aa/"))
        << change;
  }
}

TEST_F(BucketWriterTest, AManifestThatCannotBeReadDelaysNoOther) {
  const Digest bad = site_.Filled(recipe_, 4);
  const Digest good = site_.Filled(recipe_, 4, 10);
  site_.store_.CorruptForTest(RecipeId(recipe_), TestKey(1));
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_THAT(KeysBelow(objects_, "sites/"), ElementsAre(site_.IndexKey(recipe_, good)));
  EXPECT_EQ(site_.counters_.pending, 1);
  site_.Filled(recipe_, 4);  // computed again
  ASSERT_TRUE(site_.writer_->Step().ok());
  EXPECT_FALSE(objects_.Bytes(site_.IndexKey(recipe_, bad)).empty());
  EXPECT_EQ(site_.counters_.pending, 0);
}

TEST_F(BucketWriterTest, ReplacesASegmentThatDoesNotStateItsDigest) {
  site_.Filled(recipe_, 2);
  ASSERT_TRUE(site_.writer_->Step().ok());
  const std::string segment = KeysBelow(objects_, "segments/").at(0);
  const std::string bytes = objects_.Bytes(segment);
  objects_.Set(segment, "junk");
  BucketSite other("bb", &objects_);
  other.Filled(recipe_, 2);
  ASSERT_TRUE(other.writer_->Step().ok());
  EXPECT_EQ(objects_.Bytes(segment), bytes);
}

TEST_F(BucketWriterTest, TheThreadSendsAndStops) {
  absl::Mutex mutex;
  bool sent = false;
  objects_.on_put = [&](const std::string& key) {
    absl::MutexLock lock(&mutex);
    sent = sent || absl::StrContains(key, "/sites/");
  };
  site_.Filled(recipe_, 2);
  site_.writer_->Start();
  {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&sent), absl::Seconds(30)));
  }
  site_.writer_->Stop();
  EXPECT_THAT(KeysBelow(objects_, "sites/"), SizeIs(1));
  EXPECT_EQ(site_.counters_.send_failures, 0);
}

}  // namespace
}  // namespace fpo::cache
