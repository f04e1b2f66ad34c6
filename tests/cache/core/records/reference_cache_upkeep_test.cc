#include "absl/strings/str_cat.h"

#include "cache/core/records/reference_cache.h"
#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/memory_store.h"

namespace fpo::cache {
namespace {

class ReferenceCacheUpkeepTest : public ::testing::Test {
 protected:
  void SetUp() override { Open({}); }
  void Open(const KeepRules& keep) {
    ReferenceCacheOptions options;
    options.keep = keep;
    cache_ = *ReferenceCache::Open(&store_, clock_.both(), options);
  }
  Digest Filled(const Recipe& recipe, int count, const std::string& owner = "ann") {
    const Digest id =
        cache_->PutManifest({CanonicalRecipe(recipe), TestKeys(count), owner, ""})->manifest_id;
    const RecordClaim claim = *cache_->Claim({id, 1024, "b"});
    if (claim.claim_id == 0) return id;
    EXPECT_TRUE(cache_
                    ->PutRecords(id, claim.claim_id, Pack(TestRecords(recipe, count)),
                                 {.seconds = 2.0 * count, .flops = 1e9 * count})
                    .ok());
    return id;
  }

  const Recipe recipe_ = MarginTestRecipe();
  MemoryStore store_;
  FakeClocks clock_;
  std::unique_ptr<ReferenceCache> cache_;
};

// The tick compared the deadlines of claims, which are of the steady clock, with the wall clock,
// and so ended every claim once a second.
TEST_F(ReferenceCacheUpkeepTest, ATickEndsTheClaimsWhoseLeaseIsOverAndNoOther) {
  const Digest id =
      cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(4), "ann", ""})->manifest_id;
  const RecordClaim first = *cache_->Claim({id, 2, "a"});
  clock_.steady.Advance(absl::Seconds(20));
  const RecordClaim second = *cache_->Claim({id, 2, "b"});
  cache_->Tick();
  EXPECT_EQ(cache_->Totals().claims, 2);
  EXPECT_TRUE(cache_->RenewClaim(second.claim_id, 1).ok());
  clock_.steady.Advance(absl::Seconds(11));
  cache_->Tick();
  EXPECT_EQ(cache_->Totals().claims, 1);
  EXPECT_EQ(ReasonOf(cache_->RenewClaim(first.claim_id, 1)), ErrorReason::kStaleClaim);
  EXPECT_TRUE(cache_->RenewClaim(second.claim_id, 2).ok());
}

// Records without features come with those that have some, from the same passes of the model: a job
// that needs them alone is saved these passes, not nothing.
TEST_F(ReferenceCacheUpkeepTest, RecordsWithoutFeaturesSaveWhatTheirPassesCost) {
  Filled(FeatureTestRecipe(), 10);
  const auto plain = cache_->PutManifest(
      {CanonicalRecipe(MarginRecipe(FeatureTestRecipe())), TestKeys(10), "ann", ""});
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->missing, 0);
  EXPECT_DOUBLE_EQ(plain->saved.seconds, 20);
  EXPECT_DOUBLE_EQ(plain->saved.flops, 1e10);
}

TEST_F(ReferenceCacheUpkeepTest, RetainPinAndUnpinAreWrittenToTheHeader) {
  const Digest id = Filled(recipe_, 3);
  EXPECT_EQ(*cache_->Retain(id), clock_.Now() + absl::Minutes(10));
  EXPECT_EQ(cache_->GetManifest(id)->header.retained_until, clock_.Now() + absl::Minutes(10));
  ASSERT_TRUE(cache_->Pin(id, absl::InfiniteFuture()).ok());
  EXPECT_EQ(cache_->GetManifest(id)->header.pinned_until, absl::InfiniteFuture());
  ASSERT_TRUE(cache_->Unpin(id).ok());
  EXPECT_LT(cache_->GetManifest(id)->header.pinned_until, clock_.Now());
  EXPECT_EQ(ReasonOf(cache_->Pin(TestKey(9), clock_.Now())), ErrorReason::kManifestNotFound);
  EXPECT_EQ(ReasonOf(cache_->Retain(TestKey(9)).status()), ErrorReason::kManifestNotFound);
}

TEST_F(ReferenceCacheUpkeepTest, ChecksEverythingInPortionsAndQuarantinesWhatIsBad) {
  Filled(FeatureTestRecipe(), 300);  // and 300 margin-only forms
  const Digest recipe_id = RecipeId(FeatureTestRecipe());
  store_.CorruptForTest(recipe_id, TestKey(7));
  std::vector<RecordPosition> damaged;
  int64_t records = 0;
  std::optional<RecordPosition> from = RecordPosition{};
  for (int portions = 0; from; ++portions) {
    ASSERT_LT(portions, 1000);
    const auto report = cache_->CheckRecords(*from, 1000);
    ASSERT_TRUE(report.ok()) << report.status();
    records += report->records;
    damaged.insert(damaged.end(), report->damaged.begin(), report->damaged.end());
    from = report->next;
  }
  EXPECT_EQ(records, 600);
  EXPECT_EQ(damaged, (std::vector<RecordPosition>{{recipe_id, TestKey(7)}}));
  EXPECT_EQ(*cache_->FindMissing(recipe_id, {TestKey(7)}), std::vector<int32_t>{0});
  EXPECT_EQ(cache_->ListQuarantined(10)->size(), 1u);
}

TEST_F(ReferenceCacheUpkeepTest, ChecksOneManifest) {
  const Digest id = Filled(recipe_, 10);
  store_.CorruptForTest(RecipeId(recipe_), TestKey(3));
  const auto first = cache_->CheckManifest(id, 0, 3);
  EXPECT_EQ(first->records, 3);
  EXPECT_TRUE(first->damaged.empty());
  const auto rest = cache_->CheckManifest(id, 3, 100);
  EXPECT_EQ(rest->records, 7);
  ASSERT_EQ(rest->damaged.size(), 1u);
  EXPECT_EQ(rest->damaged[0].key, TestKey(3));
  EXPECT_EQ(cache_->CheckManifest(id, 0, 100)->records, 9) << "an absent record is not checked";
  EXPECT_EQ(ReasonOf(cache_->CheckManifest(TestKey(9), 0, 1).status()),
            ErrorReason::kManifestNotFound);
}

TEST_F(ReferenceCacheUpkeepTest, RecordsCanBeTakenOutOfUseByHand) {
  const Digest id = Filled(recipe_, 5);
  ASSERT_TRUE(cache_->Quarantine(id, {TestKey(1), TestKey(4)}, "wrong GPU").ok());
  EXPECT_EQ(cache_->Progress(id)->present, 3);
  EXPECT_EQ(cache_->Claim({id, 10, "b"})->ordinals, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ((*cache_->ListQuarantined(10))[0].reason, "wrong GPU");
  EXPECT_EQ(ReasonOf(cache_->Quarantine(id, {TestKey(77)}, "")), ErrorReason::kKeyNotInManifest);
}

TEST_F(ReferenceCacheUpkeepTest, AboveTheRejectLimitNothingNewIsTakenAndReadsGoOn) {
  const Digest id = Filled(recipe_, 10);
  Open({.reject_bytes = 1});
  const Digest more =
      cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(12), "", ""})->manifest_id;
  const absl::Status refused = cache_->Claim({more, 2, "b"}).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kCacheFull);
  EXPECT_EQ(cache_->ReadRange(*cache_->BeginPull(id), 0, 10)->size(), 10u);
}

TEST_F(ReferenceCacheUpkeepTest, AFullDiskRefusesClaimsAndPutsUntilThereIsSpace) {
  const Digest id = Filled(recipe_, 10);
  const Digest more =
      cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(12), "", ""})->manifest_id;
  const RecordClaim claim = *cache_->Claim({more, 1, "b"});
  store_.FailWritesForTest(absl::ResourceExhaustedError("disk full"));
  const std::string packed = Pack({TestRecord(recipe_, 10)});
  for (const absl::Status& refused :
       {cache_->Claim({more, 1, "b"}).status(),
        cache_->PutRecords(more, claim.claim_id, packed).status(),
        cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(13), "", ""}).status()}) {
    EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
    EXPECT_EQ(GetErrorInfo(refused)->hint,
              "free space on the cache's machine; writes come back by themselves");
  }
  EXPECT_EQ(cache_->ReadRange(*cache_->BeginPull(id), 0, 10)->size(), 10u);
  store_.FailWritesForTest(absl::OkStatus());
  EXPECT_EQ(cache_->PutRecords(more, claim.claim_id, packed)->stored, 1);
}

TEST_F(ReferenceCacheUpkeepTest, HitsCountWhatTheySaved) {
  Filled(recipe_, 10);
  EXPECT_EQ(cache_->counters().saved_seconds, 0) << "nothing was there";
  const auto again = cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(12), "bob", ""});
  EXPECT_DOUBLE_EQ(again->saved.seconds, 20);
  EXPECT_DOUBLE_EQ(again->saved.flops, 1e10);
  EXPECT_DOUBLE_EQ(cache_->counters().saved_seconds, 20);
  cache_->Tick();  // stores the costs
  Open({});
  const auto later = cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(5), "bob", ""});
  EXPECT_DOUBLE_EQ(later->saved.seconds, 10);
}

TEST_F(ReferenceCacheUpkeepTest, OwnersAreChargedForTheirManifests) {
  const Digest id = Filled(recipe_, 10);
  cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(4), "bob", ""}).IgnoreError();
  ASSERT_TRUE(cache_->Pin(id, absl::InfiniteFuture()).ok());
  const auto owners = cache_->Owners();
  ASSERT_EQ(owners->size(), 2u);
  EXPECT_EQ((*owners)[0].owner, "ann");
  EXPECT_EQ((*owners)[0].records, 10);
  EXPECT_EQ((*owners)[0].pinned_bytes, (*owners)[0].bytes);
  EXPECT_EQ((*owners)[1].records, 4);
  EXPECT_EQ((*owners)[1].pinned_bytes, 0);
}

TEST_F(ReferenceCacheUpkeepTest, AReplicaStoresWhatItLacksWithoutAClaim) {
  const Digest id =
      cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(5), "", ""})->manifest_id;
  ASSERT_TRUE(cache_->StoreFetched(id, Pack(TestRecords(recipe_, 2))).ok());
  EXPECT_EQ(*cache_->MissingOrdinals(id), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(ReasonOf(cache_->StoreFetched(id, Pack({TestRecord(recipe_, 9)}))),
            ErrorReason::kKeyNotInManifest);
  std::string damaged = Pack(TestRecords(recipe_, 3, 2));
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_TRUE(absl::IsDataLoss(cache_->StoreFetched(id, damaged)));
  EXPECT_EQ(cache_->MissingOrdinals(id)->size(), 3u) << "whole or not at all";
  EXPECT_EQ(ReasonOf(cache_->MissingOrdinals(TestKey(9)).status()), ErrorReason::kManifestNotFound);
}

}  // namespace
}  // namespace fpo::cache
