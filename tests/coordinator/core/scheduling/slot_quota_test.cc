#include "coordinator/core/scheduling/slot_quota.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(SlotQuota, RulesAreReadStrictly) {
  const QuotaRule rule = ParseQuotaRule("queue:nightly=8").value();
  EXPECT_EQ(rule.of, QuotaRule::Of::kQueue);
  EXPECT_EQ(rule.name, "nightly");
  EXPECT_EQ(rule.slots, 8);
  EXPECT_EQ(ParseQuotaRule("owner:*=0")->name, "*");
  for (const char* wrong :
       {"", "ada=4", "user:ada=4", "owner:=4", "owner:ada", "owner:ada=x", "owner:ada=-1"}) {
    EXPECT_FALSE(ParseQuotaRule(wrong).ok()) << wrong;
  }
}

TEST(SlotQuota, CountsPerOwnerAndPerQueue) {
  SlotQuota quota({{QuotaRule::Of::kOwner, "*", 3}, {QuotaRule::Of::kQueue, "default", 4}});
  quota.Use(MakeJob("j-1", 4), 2);  // it makes do with two
  EXPECT_EQ(quota.Refusal(MakeJob("j-2", 1)), std::nullopt);
  EXPECT_EQ(quota.Refusal(MakeJob("j-2", 2)),
            "quota: owner ada uses 2 of 3 slots, the job needs 2");
  Job other = MakeJob("j-3", 3);
  other.owner = "bob";
  EXPECT_EQ(quota.Refusal(other), "quota: queue default uses 2 of 4 slots, the job needs 3");
  other.demand.queue = "nightly";
  EXPECT_EQ(quota.Refusal(other), std::nullopt);
  EXPECT_EQ(quota.Refusal(MakeJob("j-1", 4), 1), std::nullopt);
  EXPECT_NE(quota.Refusal(MakeJob("j-1", 4), 2), std::nullopt);
}

TEST(SlotQuota, ARuleByNameWinsOverTheRuleForEveryone) {
  SlotQuota quota({{QuotaRule::Of::kOwner, "*", 1}, {QuotaRule::Of::kOwner, "ada", 8}});
  EXPECT_EQ(quota.Refusal(MakeJob("j-1", 8)), std::nullopt);
  EXPECT_FALSE(quota.NeverFits(MakeJob("j-1", 8)));
  EXPECT_TRUE(quota.NeverFits(MakeJob("j-1", 9)));
}

}  // namespace
}  // namespace fpo::coordinator
