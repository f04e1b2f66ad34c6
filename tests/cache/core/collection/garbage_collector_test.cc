#include "cache/core/collection/garbage_collector.h"

#include <functional>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "gmock/gmock.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/memory_store.h"

namespace fpo::cache {
namespace {

// Tells when its manifests were listed: the collector does that last before it sweeps.
class ListedStore final : public MemoryStore {
 public:
  std::function<void(int)> on_listed = [](int) {};

  absl::StatusOr<std::vector<ManifestHeader>> ListManifests() const override {
    auto list = MemoryStore::ListManifests();
    on_listed(++times_);
    return list;
  }

 private:
  mutable int times_ = 0;
};

class GarbageCollectorTest : public ::testing::Test {
 protected:
  void Open(const KeepRules& keep) {
    ReferenceCacheOptions options;
    options.keep = keep;
    cache_ = *ReferenceCache::Open(&store_, clock_.both(), options);
    collector_ = std::make_unique<GarbageCollector>(cache_.get());
  }
  void SetUp() override { Open({}); }
  Digest Register(const std::vector<Digest>& keys) {
    return cache_->PutManifest({CanonicalRecipe(recipe_), keys, "", ""})->manifest_id;
  }
  // Keys TestKey(first) ... with their records.
  Digest Filled(int count, int first = 0) {
    const Digest id = Register(TestKeys(count, first));
    const RecordClaim claim = *cache_->Claim({id, 1024, "b"});
    std::vector<PackedRecord> records;
    for (const int64_t i : claim.ordinals) {
      records.push_back(TestRecord(recipe_, first + static_cast<int>(i)));
    }
    if (!records.empty()) {
      EXPECT_TRUE(cache_->PutRecords(id, claim.claim_id, Pack(records)).ok());
    }
    return id;
  }
  std::vector<int32_t> Missing(const std::vector<Digest>& keys) {
    return *cache_->FindMissing(RecipeId(recipe_), keys);
  }

  const Recipe recipe_ = FeatureTestRecipe();
  ListedStore store_;
  FakeClocks clock_;
  std::unique_ptr<ReferenceCache> cache_;
  std::unique_ptr<GarbageCollector> collector_;
};

TEST_F(GarbageCollectorTest, AJumpOfTheWallClockMakesNothingOld) {
  const Digest id = Filled(10);
  clock_.Advance(absl::Hours(24 * 10));       // no job uses it any more
  clock_.wall.Advance(absl::Hours(24 * 31));  // somebody sets the clock
  EXPECT_EQ(collector_->Collect(false)->records_removed, 0);
  EXPECT_TRUE(cache_->GetManifest(id).ok());
  clock_.steady.Advance(absl::Hours(24 * 31));  // time passes
  EXPECT_GT(collector_->Collect(false)->records_removed, 0);
  EXPECT_FALSE(cache_->GetManifest(id).ok());
}

TEST_F(GarbageCollectorTest, RemovesAnOldManifestAndOnlyItsOwnRecords) {
  const Digest old = Filled(10);
  clock_.Advance(absl::Hours(24 * 31));
  const Digest current = Filled(10, 5);  // shares five records
  const auto report = collector_->Collect(false);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->records_removed, 10);  // five, each with its margin-only form
  EXPECT_EQ(Missing(TestKeys(15)), (std::vector<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_FALSE(cache_->GetManifest(old).ok());
  EXPECT_EQ(cache_->GetManifest(current)->present, 10);
  EXPECT_GT(cache_->counters().removed_bytes_unused, 0);
}

TEST_F(GarbageCollectorTest, TheMarginOnlyFormOfALiveRecordStays) {
  Filled(3);
  clock_.Advance(absl::Hours(25));
  ASSERT_TRUE(collector_->Collect(false).ok());
  const Digest margin = RecipeId(MarginRecipe(recipe_));
  EXPECT_TRUE(cache_->FindMissing(margin, TestKeys(3))->empty());
}

TEST_F(GarbageCollectorTest, ADryRunChangesNothingAndSaysWhatWouldGo) {
  Filled(10);
  clock_.Advance(absl::Hours(24 * 31));
  const auto dry = collector_->Collect(true);
  EXPECT_EQ(dry->records_removed, 20);
  ASSERT_EQ(dry->manifests.size(), 1u);
  EXPECT_TRUE(dry->manifests[0].remove);
  EXPECT_EQ(dry->manifests[0].reason, "unused for 31 days");
  EXPECT_TRUE(Missing(TestKeys(10)).empty());
  const auto real = collector_->Collect(false);
  EXPECT_EQ(real->records_removed, dry->records_removed);
  EXPECT_EQ(real->bytes_removed, dry->bytes_removed);
}

TEST_F(GarbageCollectorTest, ARecordOfNoManifestStaysForADay) {
  const Digest id = Filled(4);
  ASSERT_TRUE(store_.RemoveManifest(id).ok());
  EXPECT_EQ(collector_->Collect(false)->young_orphans, 8);
  EXPECT_TRUE(Missing(TestKeys(4)).empty());
  clock_.Advance(absl::Hours(25));
  EXPECT_EQ(collector_->Collect(false)->records_removed, 8);
}

TEST_F(GarbageCollectorTest, AnUnreadableManifestProtectsItsWholeRecipe) {
  const Digest broken = Filled(4);
  Filled(4, 10);
  clock_.Advance(absl::Hours(25));
  store_.CorruptManifestForTest(broken);
  EXPECT_EQ(collector_->Collect(false)->records_removed, 0);
  EXPECT_TRUE(Missing(TestKeys(4)).empty());
}

TEST_F(GarbageCollectorTest, EvictsTheLongestUnusedDownToTheLimit) {
  const Digest first = Filled(10);
  clock_.Advance(absl::Minutes(20));
  const Digest second = Filled(10, 10);
  clock_.Advance(absl::Minutes(20));
  Open({.evict_bytes = store_.Totals().bytes - 1});
  EXPECT_TRUE(collector_->OverLimit());
  ASSERT_TRUE(collector_->Collect(false).ok());
  EXPECT_FALSE(collector_->OverLimit());
  EXPECT_FALSE(cache_->GetManifest(first).ok());
  EXPECT_EQ(cache_->GetManifest(second)->present, 10);
  EXPECT_GT(cache_->counters().removed_bytes_evicted, 0);
}

TEST_F(GarbageCollectorTest, WhatIsRegisteredWhileItSweepsStays) {
  const Digest id = Filled(4);
  ASSERT_TRUE(store_.RemoveManifest(id).ok());
  clock_.Advance(absl::Hours(25));  // four old records of no manifest
  int listed = 0;
  store_.on_listed = [&](int) { ++listed; };
  ASSERT_TRUE(collector_->Collect(/*dry_run=*/true).ok());
  int left = listed;  // a collection lists as often as a dry run
  store_.on_listed = [&](int) {
    // A job wants two of them, after the collector made up its mind which are live.
    if (--left == 0) Register(TestKeys(2));
  };
  ASSERT_TRUE(collector_->Collect(/*dry_run=*/false).ok());
  store_.on_listed = [](int) {};
  EXPECT_EQ(Missing(TestKeys(4)), (std::vector<int32_t>{2, 3}));
}

TEST_F(GarbageCollectorTest, JobsRegisterAndReadWhileItRuns) {
  Open({.unused = absl::ZeroDuration(),
        .retain = absl::Hours(1),
        .record_age_min = absl::ZeroDuration()});
  std::atomic<bool> done = false;
  std::thread collecting([&] {
    while (!done) EXPECT_TRUE(collector_->Collect(false).ok());
  });
  for (int round = 0; round < 200; ++round) {
    const int first = round % 7;
    const Digest id = Filled(8, first);
    const auto header = cache_->BeginPull(id);
    ASSERT_TRUE(header.ok()) << header.status() << " in round " << round;
    ASSERT_EQ(cache_->ReadRange(*header, 0, 8)->size(), 8u) << round;
  }
  done = true;
  collecting.join();
}

// What the cache may remove, as a model in memory says it: protection is computed from the history
// of operations, not from the store.
class GcModel : public GarbageCollectorTest {
 protected:
  struct Manifest {
    std::vector<Digest> keys;
    absl::Time used, pinned_until = absl::InfinitePast(), job_until;
  };
  static constexpr int kKeys = 120;

  GcModel() { InitLog("gc model", LogLevel::kError); }
  ~GcModel() override { InitLog("", LogLevel::kInfo); }

  int Random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  void RegisterSome() {
    const int count = 1 + Random(20), first = Random(kKeys - count);
    const std::vector<Digest> keys = TestKeys(count, first);
    const Digest id = Register(keys);
    Manifest& manifest = model_[id];
    manifest.keys = keys;
    Used(&manifest);
  }
  void Used(Manifest* manifest) {
    manifest->used = clock_.Now();
    manifest->job_until = clock_.Now() + cache_->rules().retain;
  }
  // Claims some of a manifest and stores a part of them; the rest stays claimed.
  void BuildSome(const Digest& id, Manifest* manifest) {
    const auto claim = cache_->Claim({id, 1 + Random(8), "b"});
    ASSERT_TRUE(claim.ok()) << claim.status();
    manifest->job_until = clock_.Now() + cache_->rules().retain;
    std::vector<PackedRecord> records;
    for (const int64_t ordinal : claim->ordinals) {
      if (Random(4) == 0) continue;
      records.push_back(RecordOf(manifest->keys[static_cast<size_t>(ordinal)]));
    }
    for (const int64_t ordinal : claim->ordinals) {
      claims_.emplace_back(clock_.Now() + absl::Seconds(30), id,
                           manifest->keys[static_cast<size_t>(ordinal)]);
    }
    if (records.empty()) return;
    ASSERT_TRUE(cache_->PutRecords(id, claim->claim_id, Pack(records)).ok());
    for (const PackedRecord& record : records) stored_[record.key] = clock_.Now();
  }
  PackedRecord RecordOf(const Digest& key) {
    if (records_.empty()) {
      for (int i = 0; i < kKeys; ++i) records_[TestKey(i)] = TestRecord(recipe_, i);
    }
    return records_.at(key);
  }

  bool Protected(const Digest& id, const Manifest& manifest) const {
    const absl::Time now = clock_.Now();
    if (manifest.pinned_until > now || manifest.job_until > now) return true;
    for (const auto& [until, claimed_for, key] : claims_) {
      if (until > now && claimed_for == id && !stored_.contains(key)) return true;
    }
    return now - manifest.used < cache_->rules().unused;
  }

  void CollectAndCheck(bool evicting) {
    std::set<Digest> must_stay;
    std::set<Digest> kept_manifests;
    for (const auto& [id, manifest] : model_) {
      const bool hard = manifest.pinned_until > clock_.Now() || manifest.job_until > clock_.Now();
      if (!hard && (evicting || !Protected(id, manifest))) continue;
      kept_manifests.insert(id);
      for (const Digest& key : manifest.keys) {
        if (stored_.contains(key)) must_stay.insert(key);
      }
    }
    const auto report = collector_->Collect(false);
    ASSERT_TRUE(report.ok()) << report.status();
    for (const GcDecision& decision : report->manifests) {
      if (!decision.remove) continue;
      ASSERT_FALSE(kept_manifests.contains(decision.header.id)) << decision.reason;
      evictions_ += decision.reason.starts_with("evicted");
      model_.erase(decision.header.id);
    }
    const std::vector<Digest> stay(must_stay.begin(), must_stay.end());
    ASSERT_THAT(Missing(stay), ::testing::IsEmpty());
    // And what is left in no manifest and old is gone.
    std::set<Digest> live;
    for (const auto& [id, manifest] : model_)
      live.insert(manifest.keys.begin(), manifest.keys.end());
    for (auto it = stored_.begin(); it != stored_.end();) {
      const bool present = Missing({it->first}).empty();
      const bool garbage =
          !live.contains(it->first) && it->second <= clock_.Now() - cache_->rules().record_age_min;
      ASSERT_FALSE(present && garbage) << "garbage stayed";
      it = present ? std::next(it) : stored_.erase(it);
    }
    ++collections_;
  }

  void Operate(int operations) {
    for (int i = 0; i < operations && !HasFatalFailure(); ++i) {
      const int kind = Random(100);
      auto it = model_.begin();
      if (!model_.empty()) std::advance(it, Random(static_cast<int>(model_.size())));
      if (kind < 10 || model_.empty()) {
        if (model_.size() < 25) RegisterSome();
      } else if (kind < 50) {
        BuildSome(it->first, &it->second);
      } else if (kind < 58) {
        it->second.pinned_until =
            Random(2) == 0 ? absl::InfiniteFuture() : clock_.Now() + absl::Hours(Random(24 * 60));
        ASSERT_TRUE(cache_->Pin(it->first, it->second.pinned_until).ok());
      } else if (kind < 66) {
        it->second.pinned_until = absl::InfinitePast();
        ASSERT_TRUE(cache_->Unpin(it->first).ok());
      } else if (kind < 72) {
        ASSERT_TRUE(cache_->Retain(it->first).ok());
        it->second.job_until = clock_.Now() + cache_->rules().retain;
      } else if (kind < 80) {
        const auto header = cache_->BeginPull(it->first);
        it->second.job_until = clock_.Now() + cache_->rules().retain;
        if (header.ok()) Used(&it->second);
        if (!header.ok()) continue;
        ASSERT_TRUE(cache_->ReadRange(*header, 0, 5).ok());
      } else if (kind < 92) {
        clock_.Advance(Random(3) == 0 ? absl::Hours(Random(24 * 20)) : absl::Seconds(Random(900)));
      } else if (kind < 93) {
        const KeepRules rules = cache_->rules();
        claims_.clear();
        Open(rules);  // a restart forgets claims and who is reading; what is retained stays
        for (auto& [id, manifest] : model_) {
          manifest.job_until = cache_->GetManifest(id)->header.retained_until;
        }
      } else {
        std::erase_if(claims_, [this](const auto& c) { return std::get<0>(c) <= clock_.Now(); });
        CollectAndCheck(cache_->rules().evict_bytes > 0);
      }
    }
  }

  std::mt19937 random_{static_cast<unsigned>(Seed())};
  static int Seed() {
    const char* seed = getenv("FPO_TEST_SEED");
    int value = 1;
    if (seed != nullptr) (void)absl::SimpleAtoi(seed, &value);
    return value;
  }
  static int Operations(int quick) {
    const char* count = getenv("FPO_GC_OPERATIONS");
    int value = quick;
    if (count != nullptr) (void)absl::SimpleAtoi(count, &value);
    return value;
  }

  std::map<Digest, Manifest> model_;
  std::map<Digest, absl::Time> stored_;
  std::vector<std::tuple<absl::Time, Digest, Digest>> claims_;
  std::map<Digest, PackedRecord> records_;
  int collections_ = 0;
  int evictions_ = 0;
};

// FPO_GC_OPERATIONS and FPO_TEST_SEED make it the long tier: scripts/chaos_cache.sh.
TEST_F(GcModel, NothingProtectedIsEverRemovedAndGarbageGoes) {
  Operate(Operations(15'000));
  EXPECT_GT(collections_, 100);
  EXPECT_GT(cache_->ListManifests()->size(), 0u);
}

TEST_F(GcModel, NothingProtectedIsEverEvicted) {
  Open({.evict_bytes = 300});
  Operate(Operations(5'000));
  EXPECT_GT(collections_, 50);
  EXPECT_GT(evictions_, 10);
}

}  // namespace
}  // namespace fpo::cache
