#include "cache/core/records/reference_cache.h"
#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/memory_store.h"

namespace fpo::cache {
namespace {

class ReferenceCacheReadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cache_ = *ReferenceCache::Open(&store_, clock_.both());
    id_ = cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(5), "", ""})->manifest_id;
    claim_ = cache_->Claim({id_, 5, "b"})->claim_id;
  }
  void Fill(int count) {
    ASSERT_TRUE(cache_->PutRecords(id_, claim_, Pack(TestRecords(recipe_, count))).ok());
  }

  const Recipe recipe_ = MarginTestRecipe();
  MemoryStore store_;
  FakeClocks clock_;
  std::unique_ptr<ReferenceCache> cache_;
  Digest id_{};
  uint64_t claim_ = 0;
};

TEST_F(ReferenceCacheReadsTest, PullsACompleteManifestInOrder) {
  Fill(5);
  clock_.Advance(absl::Hours(1));
  const auto header = cache_->BeginPull(id_);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(cache_->GetManifest(id_)->header.used, clock_.Now());
  const auto records = cache_->ReadRange(*header, 2, 100);
  ASSERT_EQ(records->size(), 3u);
  EXPECT_EQ((*records)[0].bytes, TestRecord(recipe_, 2).bytes);
  EXPECT_TRUE(cache_->ReadRange(*header, 5, 100)->empty());
}

TEST_F(ReferenceCacheReadsTest, NeverPullsAnIncompleteOne) {
  Fill(4);
  const absl::Status status = cache_->BeginPull(id_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kManifestIncomplete);
}

TEST_F(ReferenceCacheReadsTest, GetsOnlyWhatTheManifestNames) {
  Fill(2);
  const auto records = cache_->GetRecords(id_, TestKeys(3));
  ASSERT_TRUE(records.ok());
  EXPECT_TRUE((*records)[1].has_value());
  EXPECT_FALSE((*records)[2].has_value());
  EXPECT_EQ(ReasonOf(cache_->GetRecords(id_, {TestKey(77)}).status()),
            ErrorReason::kKeyNotInManifest);
  EXPECT_FALSE(cache_->GetRecords(id_, TestKeys(257)).ok());
}

TEST_F(ReferenceCacheReadsTest, ABadRecordIsAnErrorAndIsComputedAgain) {
  Fill(5);
  store_.CorruptForTest(RecipeId(recipe_), TestKey(3));
  const auto header = cache_->BeginPull(id_);
  const absl::Status bad = cache_->ReadRange(*header, 0, 5).status();
  EXPECT_TRUE(absl::IsDataLoss(bad));
  EXPECT_EQ(ReasonOf(bad), ErrorReason::kRecordDamaged);
  EXPECT_EQ(cache_->counters().corruptions, 1);
  EXPECT_EQ(cache_->Progress(id_)->present, 4);
  EXPECT_EQ(ReasonOf(cache_->BeginPull(id_).status()), ErrorReason::kManifestIncomplete);
  const RecordClaim again = *cache_->Claim({id_, 5, "b"});
  ASSERT_EQ(again.ordinals, std::vector<int64_t>{3});
  EXPECT_EQ(cache_->PutRecords(id_, again.claim_id, Pack({TestRecord(recipe_, 3)}))->stored, 1);
  EXPECT_TRUE(cache_->ReadRange(*cache_->BeginPull(id_), 0, 5).ok());
}

TEST_F(ReferenceCacheReadsTest, GetRecordsNeverGivesABadRecordAndNamesIt) {
  Fill(5);
  store_.CorruptForTest(RecipeId(recipe_), TestKey(1));
  store_.CorruptForTest(RecipeId(recipe_), TestKey(2));
  const absl::Status bad = cache_->GetRecords(id_, TestKeys(5)).status();
  EXPECT_TRUE(absl::IsDataLoss(bad)) << bad;
  EXPECT_EQ(GetErrorInfo(bad)->ids[0], ToHex(TestKey(1)));
  EXPECT_EQ(cache_->counters().corruptions, 2);
  const auto records = cache_->GetRecords(id_, TestKeys(5));
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_FALSE((*records)[1] || (*records)[2]);
}

TEST_F(ReferenceCacheReadsTest, ADamagedListOfKeysIsDroppedAndCanBePutAgain) {
  Fill(5);
  const ManifestHeader header = *cache_->BeginPull(id_);
  store_.CorruptManifestForTest(id_);
  EXPECT_EQ(ReasonOf(cache_->ReadRange(header, 0, 5).status()), ErrorReason::kManifestNotFound);
  EXPECT_EQ(ReasonOf(cache_->BeginPull(id_).status()), ErrorReason::kManifestNotFound);
  EXPECT_EQ(cache_->counters().manifest_corruptions, 1);
  const auto again = cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(5), "", ""});
  EXPECT_EQ(again->present(), 5) << "its records are still there";
  EXPECT_EQ(cache_->ReadRange(*cache_->BeginPull(id_), 0, 5)->size(), 5u);
}

TEST_F(ReferenceCacheReadsTest, ReadsSomeRecordsOfAManifest) {
  Fill(5);
  const ManifestHeader header = *cache_->BeginPull(id_);
  const auto some = cache_->ReadOrdinals(header, {1, 4});
  ASSERT_EQ(some->size(), 2u);
  EXPECT_EQ((*some)[0].key, TestKey(1));
  EXPECT_EQ((*some)[1].key, TestKey(4));
  EXPECT_TRUE(absl::IsOutOfRange(cache_->ReadOrdinals(header, {5}).status()));
}

}  // namespace
}  // namespace fpo::cache
