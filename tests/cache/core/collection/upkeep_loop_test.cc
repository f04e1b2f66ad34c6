#include "cache/core/collection/upkeep_loop.h"

#include "gtest/gtest.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/memory_store.h"

namespace fpo::cache {
namespace {

class UpkeepLoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ReferenceCacheOptions options;
    options.keep = keep_;
    cache_ = *ReferenceCache::Open(&store_, clock_.both(), options);
    collector_ = std::make_unique<GarbageCollector>(cache_.get());
    id_ = cache_->PutManifest({CanonicalRecipe(recipe_), TestKeys(kRecords), "", ""})->manifest_id;
    const uint64_t claim = cache_->Claim({id_, kRecords, "b"})->claim_id;
    ASSERT_TRUE(cache_->PutRecords(id_, claim, Pack(TestRecords(recipe_, kRecords))).ok());
  }
  int64_t RecordBytes() const { return store_.Totals().bytes / kRecords; }
  const CacheCounters& counters() const { return cache_->counters(); }

  static constexpr int kRecords = 100;
  const Recipe recipe_ = MarginTestRecipe();
  KeepRules keep_;
  MemoryStore store_;
  FakeClocks clock_;
  std::unique_ptr<ReferenceCache> cache_;
  std::unique_ptr<GarbageCollector> collector_;
  Digest id_{};
};

TEST_F(UpkeepLoopTest, ReadsNoFasterThanAllowedAndStartsAgainAfterADay) {
  // With the page that is being read, ten records a second.
  UpkeepLoop loop({.scrub_bytes_per_second = 10 * (RecordBytes() + 1)}, cache_.get(),
                  collector_.get());
  absl::Time now = clock_.Now();
  ASSERT_TRUE(loop.Step(now).ok());  // a long pause before does not allow a burst
  EXPECT_LE(counters().scrubbed_records, 11);
  for (int second = 0; second < 5; ++second) ASSERT_TRUE(loop.Step(now += absl::Seconds(1)).ok());
  EXPECT_GE(counters().scrubbed_records, 50);
  EXPECT_LE(counters().scrubbed_records, 66);
  for (int second = 0; second < 10; ++second) ASSERT_TRUE(loop.Step(now += absl::Seconds(1)).ok());
  EXPECT_EQ(counters().scrubbed_records, kRecords) << "once, then it waits";
  EXPECT_GT(counters().last_scrub_unix_s, 0);
  ASSERT_TRUE(loop.Step(now += absl::Hours(24)).ok());
  EXPECT_GT(counters().scrubbed_records, kRecords);
}

TEST_F(UpkeepLoopTest, FindsDamageBeforeAJobDoes) {
  store_.CorruptForTest(RecipeId(recipe_), TestKey(42));
  UpkeepLoop loop({}, cache_.get(), collector_.get());
  ASSERT_TRUE(loop.Step(clock_.Now()).ok());
  EXPECT_EQ(counters().scrub_corruptions, 1);
  EXPECT_EQ(counters().corruptions, 0);
  EXPECT_EQ(*cache_->FindMissing(RecipeId(recipe_), {TestKey(41), TestKey(42)}),
            std::vector<int32_t>{1});
  EXPECT_EQ(cache_->Progress(id_)->present, kRecords - 1);
}

TEST_F(UpkeepLoopTest, NoScrubWhenItIsOff) {
  UpkeepLoop loop({.scrub_bytes_per_second = 0}, cache_.get(), collector_.get());
  ASSERT_TRUE(loop.Step(clock_.Now()).ok());
  EXPECT_EQ(counters().scrubbed_records, 0);
}

TEST_F(UpkeepLoopTest, CollectsEveryHour) {
  UpkeepLoop loop({}, cache_.get(), collector_.get());
  ASSERT_TRUE(loop.Step(clock_.Now()).ok());
  clock_.Advance(absl::Hours(24 * 31));
  ASSERT_TRUE(loop.Step(clock_.Now()).ok());
  EXPECT_TRUE(cache_->ListManifests()->empty());
  EXPECT_EQ(store_.Totals().records, 0);
  EXPECT_GT(counters().removed_bytes_unused, 0);
}

TEST_F(UpkeepLoopTest, StartsAndStopsItsThread) {
  UpkeepLoop loop({.pace = absl::Milliseconds(1)}, cache_.get(), collector_.get());
  loop.Start();
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  const auto scrubbed = [&] { return counters().last_scrub_unix_s > 0; };
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  bool never = false;
  while (!scrubbed() && absl::Now() < deadline) {
    mutex.AwaitWithTimeout(absl::Condition(&never), absl::Milliseconds(1));
  }
  loop.Stop();
  EXPECT_EQ(counters().scrubbed_records, kRecords);
}

class OverLimitTest : public UpkeepLoopTest {
 protected:
  OverLimitTest() { keep_.evict_bytes = 1; }
};

TEST_F(OverLimitTest, CollectsSoonWhenMoreIsStoredThanAllowed) {
  UpkeepLoop loop({}, cache_.get(), collector_.get());
  ASSERT_TRUE(loop.Step(clock_.Now()).ok());
  EXPECT_EQ(store_.Totals().records, kRecords) << "a job uses them";
  clock_.Advance(absl::Minutes(11));
  ASSERT_TRUE(loop.Step(clock_.Now()).ok());
  EXPECT_EQ(store_.Totals().records, 0);
  EXPECT_GT(counters().removed_bytes_evicted, 0);
}

}  // namespace
}  // namespace fpo::cache
