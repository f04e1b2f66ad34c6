#include "cache/core/collection/gc_plan.h"

#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(100'000'000);

GcCandidate Candidate(int id, absl::Duration idle, int64_t bytes = 100) {
  GcCandidate candidate;
  candidate.header.id = TestKey(id);
  candidate.header.used = kNow - idle;
  candidate.bytes = bytes;
  return candidate;
}

std::vector<bool> Removed(const std::vector<GcDecision>& plan) {
  std::vector<bool> removed;
  for (const GcDecision& decision : plan) removed.push_back(decision.remove);
  return removed;
}

TEST(GcPlan, RemovesWhatNobodyUsedForLong) {
  const auto plan = PlanGc({Candidate(0, absl::Hours(24 * 29)), Candidate(1, absl::Hours(24 * 30))},
                           KeepRules(), 1000, kNow);
  EXPECT_EQ(Removed(plan), (std::vector<bool>{false, true}));
  EXPECT_EQ(plan[0].reason, "used 29 days ago");
  EXPECT_EQ(plan[1].reason, "unused for 30 days");
}

TEST(GcPlan, NothingProtectedIsRemovedHoweverOldAndHoweverFull) {
  const absl::Duration old = absl::Hours(24 * 365);
  std::vector<GcCandidate> candidates(5, Candidate(0, old));
  candidates[0].header.pinned_until = absl::InfiniteFuture();
  candidates[1].header.pinned_until = kNow + absl::Seconds(1);
  candidates[2].header.retained_until = kNow + absl::Seconds(1);
  candidates[3].claimed_records = 7;
  candidates[4].accessed = kNow - absl::Minutes(9);
  const auto plan = PlanGc(candidates, {.evict_bytes = 1}, 1'000'000, kNow);
  EXPECT_THAT(Removed(plan), ::testing::Each(false));
  EXPECT_EQ(plan[0].reason, "pinned");
  EXPECT_THAT(plan[1].reason, HasSubstr("kept until 1973-03-03T09:46:41Z"));
  EXPECT_THAT(plan[2].reason, HasSubstr("retained by a job"));
  EXPECT_THAT(plan[3].reason, HasSubstr("7 of its records"));
  EXPECT_THAT(plan[4].reason, HasSubstr("in use"));
}

TEST(GcPlan, ProtectionEnds) {
  std::vector<GcCandidate> candidates(3, Candidate(0, absl::Hours(24 * 365)));
  candidates[0].header.pinned_until = kNow;
  candidates[1].header.retained_until = kNow;
  candidates[2].accessed = kNow - absl::Minutes(10);
  EXPECT_THAT(Removed(PlanGc(candidates, KeepRules(), 0, kNow)), ::testing::Each(true));
}

TEST(GcPlan, OverTheLimitTheLongestUnusedGoFirstAndNoMoreThanNeeded) {
  const std::vector<GcCandidate> candidates = {
      Candidate(0, absl::Hours(3)), Candidate(1, absl::Hours(5)), Candidate(2, absl::Hours(1)),
      Candidate(3, absl::Hours(4))};
  EXPECT_EQ(Removed(PlanGc(candidates, {.evict_bytes = 250}, 400, kNow)),
            (std::vector<bool>{false, true, false, true}));
  EXPECT_THAT(Removed(PlanGc(candidates, {.evict_bytes = 400}, 400, kNow)), ::testing::Each(false));
  const auto plan = PlanGc(candidates, {.evict_bytes = 350}, 400, kNow);
  EXPECT_THAT(plan[1].reason, HasSubstr("evicted: 400 bytes are stored, the limit is 350"));
  EXPECT_TRUE(plan[1].evicted);
  EXPECT_FALSE(plan[0].evicted);
}

TEST(GcPlan, WhatGoesForItsAgeCountsTowardsTheLimit) {
  const std::vector<GcCandidate> candidates = {Candidate(0, absl::Hours(24 * 40)),
                                               Candidate(1, absl::Hours(2))};
  const auto plan = PlanGc(candidates, {.evict_bytes = 100}, 200, kNow);
  EXPECT_EQ(Removed(plan), (std::vector<bool>{true, false}));
  EXPECT_FALSE(plan[0].evicted) << "it was its time";
}

}  // namespace
}  // namespace fpo::cache
