#include "cache/core/records/claim_table.h"

#include <set>

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

class ClaimTableTest : public ::testing::Test {
 protected:
  uint64_t Grant(const std::vector<Digest>& keys) {
    return table_.Grant(recipe_, keys, "builder", now_).value();
  }

  const Digest recipe_ = Sha256Of("recipe");
  absl::Time now_ = absl::FromUnixSeconds(1000);
  ClaimTable table_{7};
};

TEST_F(ClaimTableTest, IdsGrowWithinAndAcrossBoots) {
  const uint64_t first = Grant(TestKeys(1, 0));
  const uint64_t second = Grant(TestKeys(1, 1));
  EXPECT_LT(first, second);
  ClaimTable next(8);
  EXPECT_LT(second, next.Grant(recipe_, TestKeys(1, 2), "b", now_).value());
}

TEST_F(ClaimTableTest, HoldsItsKeysUntilTheLeaseRunsOut) {
  const uint64_t claim = Grant(TestKeys(2));
  EXPECT_TRUE(table_.Holds(claim, recipe_, TestKey(0)));
  EXPECT_FALSE(table_.Holds(claim, Sha256Of("other recipe"), TestKey(0)));
  EXPECT_EQ(table_.NextExpiry(recipe_), now_ + absl::Seconds(30));
  EXPECT_EQ(table_.Expire(now_ + absl::Seconds(29)), 0);
  EXPECT_TRUE(table_.IsHeld(recipe_, TestKey(1)));
  EXPECT_EQ(table_.Expire(now_ + absl::Seconds(30)), 1);
  EXPECT_FALSE(table_.IsHeld(recipe_, TestKey(1)));
  EXPECT_EQ(ReasonOf(table_.CheckLive(claim)), ErrorReason::kStaleClaim);
  EXPECT_EQ(table_.expired_total(), 1);
}

TEST_F(ClaimTableTest, ProgressRenews) {
  const uint64_t claim = Grant(TestKeys(2));
  for (int done = 1; done <= 5; ++done) {
    now_ += absl::Seconds(20);
    EXPECT_TRUE(table_.Renew(claim, done, now_).ok());
  }
  EXPECT_TRUE(table_.CheckLive(claim).ok());
}

// The first record of a large model on a slow machine takes several leases.
TEST_F(ClaimTableTest, RenewedWithoutProgressItLivesLongButNotForEver) {
  const uint64_t claim = Grant(TestKeys(2));
  for (int i = 0; i < 179; ++i) {
    now_ += absl::Seconds(10);
    ASSERT_TRUE(table_.Renew(claim, 0, now_).ok()) << i;
  }
  EXPECT_TRUE(table_.Renew(claim, 1, now_).ok());
  now_ += absl::Seconds(20);
  EXPECT_TRUE(table_.Renew(claim, 1, now_).ok()) << "one record, and the time starts again";
  for (int i = 0; i < 177; ++i) {
    now_ += absl::Seconds(10);
    ASSERT_TRUE(table_.Renew(claim, 1, now_).ok()) << i;
  }
  now_ += absl::Seconds(10);
  const absl::Status status = table_.Renew(claim, 1, now_);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kStaleClaim);
  EXPECT_FALSE(table_.IsHeld(recipe_, TestKey(0)));
}

TEST_F(ClaimTableTest, AStoredRecordIsProgress) {
  const uint64_t claim = Grant(TestKeys(3));
  EXPECT_TRUE(table_.Renew(claim, 0, now_).ok());
  now_ += absl::Seconds(25);
  table_.Fulfil(recipe_, TestKey(0), now_);
  EXPECT_FALSE(table_.IsHeld(recipe_, TestKey(0)));
  EXPECT_EQ(table_.held_keys(), 2);
  EXPECT_EQ(table_.NextExpiry(recipe_), now_ + absl::Seconds(30));
  EXPECT_TRUE(table_.Renew(claim, 0, now_).ok());
}

TEST_F(ClaimTableTest, AnotherBuilderTakesOverAndTheFirstIsStale) {
  const uint64_t lost = Grant(TestKeys(1));
  now_ += absl::Seconds(31);
  const uint64_t current = Grant(TestKeys(1));
  EXPECT_FALSE(table_.Holds(lost, recipe_, TestKey(0)));
  EXPECT_TRUE(table_.Holds(current, recipe_, TestKey(0)));
  EXPECT_EQ(ReasonOf(table_.Renew(lost, 10, now_)), ErrorReason::kStaleClaim);
  EXPECT_EQ(ReasonOf(table_.Release(lost, now_)), ErrorReason::kStaleClaim);
  EXPECT_TRUE(table_.Holds(current, recipe_, TestKey(0)));
}

TEST_F(ClaimTableTest, AClaimOfAnEarlierRunIsUnknown) {
  const uint64_t claim = Grant(TestKeys(1));
  ClaimTable restarted(8);
  EXPECT_EQ(ReasonOf(restarted.Renew(claim, 1, now_)), ErrorReason::kUnknownClaim);
  EXPECT_EQ(ReasonOf(restarted.CheckLive(0)), ErrorReason::kUnknownClaim);
}

TEST_F(ClaimTableTest, AReleasedClaimFreesItsKeys) {
  const uint64_t claim = Grant(TestKeys(2));
  const uint64_t version = table_.version();
  EXPECT_TRUE(table_.Release(claim, now_).ok());
  EXPECT_GT(table_.version(), version);
  EXPECT_EQ(table_.live(), 0);
  EXPECT_EQ(table_.held_keys(), 0);
  EXPECT_EQ(table_.expired_total(), 0);
}

TEST_F(ClaimTableTest, AFinishedClaimDoesNotCountAsExpired) {
  Grant(TestKeys(1));
  table_.Fulfil(recipe_, TestKey(0), now_);
  EXPECT_EQ(table_.NextExpiry(recipe_), std::nullopt);
  EXPECT_EQ(table_.Expire(now_ + absl::Minutes(1)), 0);
  EXPECT_EQ(table_.live(), 0);
}

TEST_F(ClaimTableTest, RefusesMoreClaimsThanItMayHold) {
  ClaimTable small(1, {.claims_max = 1});
  ASSERT_TRUE(small.Grant(recipe_, TestKeys(1, 0), "a", now_).ok());
  const absl::Status status = small.Grant(recipe_, TestKeys(1, 1), "b", now_).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_TRUE(small.Grant(recipe_, TestKeys(1, 1), "b", now_ + absl::Minutes(1)).ok());
}

TEST_F(ClaimTableTest, ListsTheHeldKeysOfARecipe) {
  Grant(TestKeys(2));
  std::set<Digest> held;
  table_.ForEachHeldKey(recipe_, [&](const Digest& key) { held.insert(key); });
  table_.ForEachHeldKey(Sha256Of("other"), [&](const Digest&) { FAIL(); });
  EXPECT_EQ(held, (std::set<Digest>{TestKey(0), TestKey(1)}));
}

}  // namespace
}  // namespace fpo::cache
