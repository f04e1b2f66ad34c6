#include "cache/core/records/reference_cache.h"

#include <map>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/memory_store.h"

namespace fpo::cache {
namespace {

class ReferenceCacheTest : public ::testing::Test {
 protected:
  void SetUp() override { Restart(); }

  void Restart() { cache_ = *ReferenceCache::Open(&store_, clock_.both()); }
  ManifestCount Register(const Recipe& recipe, std::vector<Digest> keys) {
    auto status = cache_->PutManifest({CanonicalRecipe(recipe), std::move(keys), "ann", "job"});
    EXPECT_TRUE(status.ok()) << status.status();
    return *status;
  }
  ManifestCount Register(int keys) { return Register(recipe_, TestKeys(keys)); }
  std::string PackOrdinals(const std::vector<int64_t>& ordinals, double value = 0) {
    std::vector<PackedRecord> records;
    for (const int64_t i : ordinals) {
      records.push_back(TestRecord(recipe_, static_cast<int>(i), value));
    }
    return Pack(records);
  }

  const Recipe recipe_ = FeatureTestRecipe();
  MemoryStore store_;
  FakeClocks clock_;
  std::unique_ptr<ReferenceCache> cache_;
};

TEST_F(ReferenceCacheTest, AManifestIsIdempotentAndCountsHitsAndMisses) {
  const ManifestCount first = Register(10);
  EXPECT_EQ(first.present(), 0);
  EXPECT_EQ(cache_->counters().misses, 10);
  const RecordClaim grant = *cache_->Claim({first.manifest_id, 4, "b"});
  ASSERT_TRUE(
      cache_->PutRecords(first.manifest_id, grant.claim_id, PackOrdinals({0, 1, 2, 3})).ok());
  const ManifestCount again = Register(10);
  EXPECT_EQ(again.manifest_id, first.manifest_id);
  EXPECT_EQ(again.present(), 4);
  EXPECT_GT(cache_->GetManifest(again.manifest_id)->bytes, 0);
  EXPECT_EQ(cache_->counters().hits, 4);
  EXPECT_EQ(cache_->counters().misses, 16);
}

TEST_F(ReferenceCacheTest, RefusesMalformedManifests) {
  const std::string recipe = CanonicalRecipe(recipe_);
  const std::vector<NewManifest> bad = {
      {"{}", TestKeys(1), "", ""},
      {recipe, {}, "", ""},
      {recipe, {TestKey(1), TestKey(1)}, "", ""},
      {recipe, TestKeys(1), std::string(300, 'x'), ""},
  };
  EXPECT_TRUE(absl::IsInvalidArgument(
      cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(1), "ann", "job", "everybody"})
          .status()));
  for (const NewManifest& manifest : bad) {
    const absl::Status status = cache_->PutManifest(manifest).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(ReasonOf(status), ErrorReason::kInvalidRequest);
  }
}

TEST_F(ReferenceCacheTest, ThirtyTwoRacingBuildersRecordEachRecordOnce) {
  const Digest id = Register(1000).manifest_id;
  std::atomic<int64_t> stored = 0;
  absl::Mutex mutex;
  std::multiset<int64_t> claimed;
  std::vector<std::thread> builders;
  for (int b = 0; b < 32; ++b) {
    builders.emplace_back([&, b] {
      for (;;) {
        const RecordClaim grant = *cache_->Claim({id, 17, absl::StrCat("builder ", b)});
        if (grant.claim_id == 0) return;
        {
          absl::MutexLock lock(&mutex);
          claimed.insert(grant.ordinals.begin(), grant.ordinals.end());
        }
        stored += cache_->PutRecords(id, grant.claim_id, PackOrdinals(grant.ordinals, b))->stored;
      }
    });
  }
  for (std::thread& builder : builders) builder.join();
  EXPECT_EQ(claimed.size(), 1000u);
  EXPECT_EQ(std::set<int64_t>(claimed.begin(), claimed.end()).size(), 1000u);
  EXPECT_EQ(stored, 1000);
  EXPECT_EQ(cache_->counters().conflict, 0);
  EXPECT_TRUE(cache_->Claim({id, 1, "late"})->complete);
}

// Half of the builders die with a claim in their hands: what they held is computed by others, and
// nothing else is computed twice.
TEST_F(ReferenceCacheTest, RacingBuildersTakeOverFromThoseThatDie) {
  const Digest id = Register(1000).manifest_id;
  absl::Mutex mutex;
  std::map<int64_t, int> computed;
  int64_t lost = 0;  // claimed by builders that died
  int alive = 32, working = 0;
  const auto somebody_died = [&] { return lost > 0; };
  const auto build = [&](int b) {
    // The odd ones live. Left to the scheduler, the first of them may do all the work alone.
    if (b % 2 == 1) mutex.LockWhen(absl::Condition(&somebody_died)), mutex.Unlock();
    while (true) {
      {
        absl::MutexLock lock(&mutex);
        ++working;
      }
      const RecordClaim grant = *cache_->Claim({id, 16, absl::StrCat("builder ", b)});
      const bool dies = grant.claim_id != 0 && b % 2 == 0;
      if (grant.claim_id != 0 && !dies) {
        EXPECT_TRUE(cache_->PutRecords(id, grant.claim_id, PackOrdinals(grant.ordinals, b)).ok());
      }
      absl::MutexLock lock(&mutex);
      --working;
      for (const int64_t ordinal : grant.ordinals) ++computed[ordinal];
      if (dies) lost += static_cast<int64_t>(grant.ordinals.size());
      if (dies || grant.complete) {
        --alive;
        return;
      }
      const bool never = false;
      if (grant.claim_id == 0) {
        mutex.AwaitWithTimeout(absl::Condition(&never), absl::Milliseconds(2));
      }
    }
  };
  std::vector<std::thread> builders;
  for (int b = 0; b < 32; ++b) builders.emplace_back(build, b);
  const auto nobody_works = [&] { return working == 0 || alive == 0; };
  {
    absl::MutexLock lock(&mutex);
    while (alive > 0) {
      // Claims run out only while no builder computes under one.
      if (mutex.AwaitWithTimeout(absl::Condition(&nobody_works), absl::Milliseconds(50))) {
        clock_.Advance(absl::Seconds(31));
      }
      const bool never = false;
      mutex.AwaitWithTimeout(absl::Condition(&never), absl::Milliseconds(5));
    }
  }
  for (std::thread& builder : builders) builder.join();
  EXPECT_EQ(cache_->GetManifest(id)->present, 1000);
  EXPECT_GT(lost, 0);
  int64_t forward_passes = 0;
  for (const auto& [ordinal, times] : computed) forward_passes += times;
  EXPECT_EQ(computed.size(), 1000u);
  EXPECT_EQ(forward_passes, 1000 + lost);
  EXPECT_EQ(cache_->counters().stored, 1000);
}

TEST_F(ReferenceCacheTest, ARepeatedClaimGivesTheSameOne) {
  const Digest id = Register(6).manifest_id;
  const RecordClaim first = *cache_->Claim({id, 4, "a", "r-1"});
  const RecordClaim again = *cache_->Claim({id, 4, "a", "r-1"});
  EXPECT_EQ(again.claim_id, first.claim_id);
  EXPECT_EQ(again.ordinals, first.ordinals);
  EXPECT_EQ(cache_->Claim({id, 4, "a", "r-2"})->ordinals, (std::vector<int64_t>{4, 5}));
  ASSERT_TRUE(cache_->PutRecords(id, first.claim_id, PackOrdinals({0, 1})).ok());
  EXPECT_EQ(cache_->Claim({id, 4, "a", "r-1"})->ordinals, (std::vector<int64_t>{2, 3}));
  clock_.Advance(absl::Minutes(1));
  EXPECT_NE(cache_->Claim({id, 4, "a", "r-1"})->claim_id, first.claim_id) << "that one is over";
}

TEST_F(ReferenceCacheTest, SaysWhenEverythingMissingIsClaimed) {
  const Digest id = Register(5).manifest_id;
  EXPECT_EQ(cache_->Claim({id, 1024, "a"})->ordinals.size(), 5u);
  clock_.Advance(absl::Seconds(10));
  const RecordClaim none = *cache_->Claim({id, 10, "b"});
  EXPECT_EQ(none.claim_id, 0u);
  EXPECT_FALSE(none.complete);
  EXPECT_EQ(none.retry_after, absl::Seconds(20));
}

TEST_F(ReferenceCacheTest, ATakenOverClaimIsStaleUnlessTheBytesAreThere) {
  const Digest id = Register(2).manifest_id;
  const RecordClaim lost = *cache_->Claim({id, 2, "slow"});
  clock_.Advance(absl::Seconds(31));
  const RecordClaim current = *cache_->Claim({id, 2, "fast"});
  ASSERT_EQ(current.ordinals.size(), 2u);
  EXPECT_EQ(ReasonOf(cache_->PutRecords(id, lost.claim_id, PackOrdinals({0})).status()),
            ErrorReason::kStaleClaim);
  ASSERT_EQ(cache_->PutRecords(id, current.claim_id, PackOrdinals({0, 1}))->stored, 2);
  EXPECT_EQ(cache_->PutRecords(id, lost.claim_id, PackOrdinals({0, 1}))->present, 2);
  const absl::Status other = cache_->PutRecords(id, lost.claim_id, PackOrdinals({0}, 5)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(other));
  EXPECT_EQ(ReasonOf(other), ErrorReason::kStaleClaim);
  EXPECT_EQ(cache_->counters().refused, 2);
}

TEST_F(ReferenceCacheTest, ALapsedClaimThatNobodyTookIsStaleToo) {
  const Digest id = Register(1).manifest_id;
  const RecordClaim lost = *cache_->Claim({id, 1, "slow"});
  clock_.Advance(absl::Seconds(31));
  EXPECT_EQ(ReasonOf(cache_->PutRecords(id, lost.claim_id, PackOrdinals({0})).status()),
            ErrorReason::kStaleClaim);
  EXPECT_EQ(cache_->Totals().claims_expired, 1);
}

TEST_F(ReferenceCacheTest, AClaimOfAnotherRunIsUnknown) {
  const Digest id = Register(1).manifest_id;
  const RecordClaim grant = *cache_->Claim({id, 1, "b"});
  MemoryStore next(2);
  cache_ = *ReferenceCache::Open(&next, clock_.both());
  const Digest again = Register(1).manifest_id;
  EXPECT_EQ(again, id);
  EXPECT_EQ(ReasonOf(cache_->PutRecords(id, grant.claim_id, PackOrdinals({0})).status()),
            ErrorReason::kUnknownClaim);
  EXPECT_EQ(ReasonOf(cache_->RenewClaim(grant.claim_id, 1)), ErrorReason::kUnknownClaim);
  cache_.reset();
}

// A claim is a duration: it ends when its lease is over, whatever the wall clock does meanwhile.
TEST_F(ReferenceCacheTest, AJumpOfTheWallClockNeitherEndsNorLengthensAClaim) {
  const Digest id = Register(4).manifest_id;
  ASSERT_EQ(cache_->Claim({id, 4, "dead"})->ordinals.size(), 4u);
  clock_.wall.Advance(absl::Hours(5));
  EXPECT_EQ(cache_->Claim({id, 4, "b"})->ordinals.size(), 0u) << "the builder may be alive";
  clock_.wall.Advance(-absl::Hours(10));
  clock_.steady.Advance(absl::Seconds(31));
  EXPECT_EQ(cache_->Claim({id, 4, "b"})->ordinals.size(), 4u) << "nobody waits for 10 hours";
}

TEST_F(ReferenceCacheTest, RenewalsKeepAClaimAndReleaseEndsIt) {
  const Digest id = Register(2).manifest_id;
  const RecordClaim grant = *cache_->Claim({id, 2, "b"});
  for (int done = 1; done < 4; ++done) {
    clock_.Advance(absl::Seconds(20));
    EXPECT_TRUE(cache_->RenewClaim(grant.claim_id, done).ok());
  }
  EXPECT_EQ(cache_->Progress(id)->claimable, 0);
  EXPECT_TRUE(cache_->ReleaseClaim(grant.claim_id).ok());
  EXPECT_EQ(cache_->Progress(id)->claimable, 2);
}

TEST_F(ReferenceCacheTest, RefusesForeignDoubleAndDamagedRecords) {
  const Digest id = Register(2).manifest_id;
  const uint64_t claim = cache_->Claim({id, 2, "b"})->claim_id;
  std::string damaged = PackOrdinals({0});
  damaged.back() ^= 1;
  for (const std::string& packed :
       {PackOrdinals({7}), PackOrdinals({0, 0}), damaged, std::string(kPackedBytesMax + 1, 'x')}) {
    const absl::Status status = cache_->PutRecords(id, claim, packed).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  }
  EXPECT_EQ(ReasonOf(cache_->PutRecords(id, claim, PackOrdinals({7})).status()),
            ErrorReason::kKeyNotInManifest);
  EXPECT_EQ(cache_->Totals().store.records, 0);
}

TEST_F(ReferenceCacheTest, AFullDiskRefusesAndKeepsTheClaim) {
  const Digest id = Register(1).manifest_id;
  const uint64_t claim = cache_->Claim({id, 1, "b"})->claim_id;
  store_.FailWritesForTest(absl::ResourceExhaustedError("full"));
  EXPECT_TRUE(absl::IsResourceExhausted(cache_->Writable()));
  EXPECT_TRUE(absl::IsResourceExhausted(cache_->PutRecords(id, claim, PackOrdinals({0})).status()));
  store_.FailWritesForTest(absl::OkStatus());
  EXPECT_EQ(cache_->PutRecords(id, claim, PackOrdinals({0}))->stored, 1);
}

TEST_F(ReferenceCacheTest, ADpoManifestAfterAnFpoManifestFindsEveryRecord) {
  const Digest id = Register(3).manifest_id;
  // Registered and in memory before the records come, as well as after.
  const Digest margin = Register(MarginTestRecipe(), TestKeys(3)).manifest_id;
  const uint64_t claim = cache_->Claim({id, 3, "b"})->claim_id;
  ASSERT_TRUE(cache_->PutRecords(id, claim, PackOrdinals({0, 1, 2})).ok());
  EXPECT_EQ(cache_->Progress(margin)->present, 3);
  EXPECT_EQ(Register(MarginTestRecipe(), TestKeys(2)).present(), 2);
}

TEST_F(ReferenceCacheTest, VersionGrowsWithEveryVisibleChange) {
  const Digest id = Register(1).manifest_id;
  uint64_t version = cache_->version();
  const auto grew = [&] { return std::exchange(version, cache_->version()) < cache_->version(); };
  const uint64_t claim = cache_->Claim({id, 1, "b"})->claim_id;
  EXPECT_TRUE(grew());
  EXPECT_FALSE(grew());
  cache_->Tick();
  EXPECT_FALSE(grew());
  clock_.Advance(absl::Minutes(1));
  cache_->Tick();
  EXPECT_TRUE(grew()) << "claim " << claim << " lapsed";
}

TEST_F(ReferenceCacheTest, CountsManifestsItFoundAtStart) {
  Register(3);
  Register(2);
  Restart();
  EXPECT_EQ(cache_->Totals().manifests.unknown, 2);
  cache_->Tick();
  cache_->Tick();
  EXPECT_EQ(cache_->Totals().manifests.incomplete, 2);
  EXPECT_EQ(cache_->ListManifests()->size(), 2u);
}

TEST_F(ReferenceCacheTest, NamesAnUnknownManifestEverywhere) {
  const Digest id = TestKey(1);
  for (const absl::Status& status :
       {cache_->GetManifest(id).status(), cache_->Claim({id, 1, "b"}).status(),
        cache_->Progress(id).status(), cache_->PutRecords(id, 1, PackOrdinals({0})).status()}) {
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_EQ(ReasonOf(status), ErrorReason::kManifestNotFound);
  }
}

TEST_F(ReferenceCacheTest, FindsMissingKeysAndLimitsTheirNumber) {
  const Digest id = Register(3).manifest_id;
  const uint64_t claim = cache_->Claim({id, 3, "b"})->claim_id;
  ASSERT_TRUE(cache_->PutRecords(id, claim, PackOrdinals({1})).ok());
  EXPECT_THAT(*cache_->FindMissing(RecipeId(recipe_), TestKeys(3)), ::testing::ElementsAre(0, 2));
  EXPECT_FALSE(cache_->FindMissing(RecipeId(recipe_), TestKeys(4097)).ok());
  EXPECT_FALSE(cache_->Claim({id, 0, "b"}).ok());
  EXPECT_FALSE(cache_->Claim({id, 1025, "b"}).ok());
}

}  // namespace
}  // namespace fpo::cache
