#include "cache_service/store/memory_store.h"
#include "cache_service/store/reference_cache.h"
#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/cache_service/store/fake_clock.h"
#include "tests/cache_service/store/test_records.h"

namespace fpo::cache {
namespace {

class ReferenceCacheReadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cache_ = *ReferenceCache::Open(&store_, &clock_);
    id_ = cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(5), "", ""})->header.id;
    claim_ = cache_->Claim(id_, 5, "b")->claim_id;
  }
  void Fill(int count) {
    ASSERT_TRUE(cache_->PutRecords(id_, claim_, Pack(TestRecords(recipe_, count))).ok());
  }

  const Recipe recipe_ = MarginTestRecipe();
  MemoryStore store_;
  FakeClock clock_;
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
  EXPECT_EQ(ErrorReason(status), "MANIFEST_INCOMPLETE");
}

TEST_F(ReferenceCacheReadsTest, GetsOnlyWhatTheManifestNames) {
  Fill(2);
  const auto records = cache_->GetRecords(id_, TestKeys(3));
  ASSERT_TRUE(records.ok());
  EXPECT_TRUE((*records)[1].has_value());
  EXPECT_FALSE((*records)[2].has_value());
  EXPECT_EQ(ErrorReason(cache_->GetRecords(id_, {TestKey(77)}).status()), "KEY_NOT_IN_MANIFEST");
  EXPECT_FALSE(cache_->GetRecords(id_, TestKeys(257)).ok());
}

TEST_F(ReferenceCacheReadsTest, ABadRecordIsAnErrorAndIsComputedAgain) {
  Fill(5);
  store_.CorruptForTest(RecipeId(recipe_), TestKey(3));
  const auto header = cache_->BeginPull(id_);
  EXPECT_TRUE(absl::IsDataLoss(cache_->ReadRange(*header, 0, 5).status()));
  EXPECT_EQ(cache_->counters().corruptions, 1);
  EXPECT_EQ(cache_->View(id_)->present, 4);
  EXPECT_EQ(ErrorReason(cache_->BeginPull(id_).status()), "MANIFEST_INCOMPLETE");
  const ClaimGrant again = *cache_->Claim(id_, 5, "b");
  ASSERT_EQ(again.ordinals, std::vector<int64_t>{3});
  EXPECT_EQ(cache_->PutRecords(id_, again.claim_id, Pack({TestRecord(recipe_, 3)}))->stored, 1);
  EXPECT_TRUE(cache_->ReadRange(*cache_->BeginPull(id_), 0, 5).ok());
}

}  // namespace
}  // namespace fpo::cache
