#include "coordinator/core/scheduling/owner_limits.h"

#include "common/error_info.h"
#include "gtest/gtest.h"

namespace fpo::coordinator {
namespace {

TEST(OwnerLimits, ARuleSaysWhatDiffersFromTheDefaults) {
  const OwnerLimitRule rule = ParseOwnerLimit("ana:jobs=50,mib=8,priority=800").value();
  EXPECT_EQ(rule.owner, "ana");
  EXPECT_EQ(rule.limit, (OwnerLimit{50, 8 << 20, 800}));
  EXPECT_EQ(ParseOwnerLimit("*:priority=400").value().limit.jobs, OwnerLimit().jobs);
  for (const char* bad : {"", "ana", ":jobs=1", "ana:", "ana:jobs", "ana:jobs=-1", "ana:jobs=x",
                          "ana:slots=1", "ana:priority=1001", "ana:jobs=1,,mib=2"}) {
    EXPECT_FALSE(ParseOwnerLimit(bad).ok()) << bad;
  }
}

TEST(OwnerLimits, EachOwnerHasTheirOwnOrEveryonesLimits) {
  const OwnerLimits limits({ParseOwnerLimit("ana:jobs=2,priority=900").value(),
                            ParseOwnerLimit("*:jobs=1,mib=1").value()});
  EXPECT_TRUE(limits.Check("ana", {.jobs = 2, .bytes = 2 << 20}).ok());
  EXPECT_EQ(ReasonOf(limits.Check("ana", {.jobs = 3})), ErrorReason::kQuota);
  EXPECT_TRUE(limits.Check("bea", {.jobs = 1, .bytes = 1 << 20}).ok());
  EXPECT_EQ(ReasonOf(limits.Check("bea", {.jobs = 2})), ErrorReason::kQuota);
  EXPECT_EQ(ReasonOf(limits.Check("bea", {.jobs = 1, .bytes = (1 << 20) + 1})),
            ErrorReason::kQuota);
  EXPECT_TRUE(limits.CheckPriority("ana", 900).ok());
  EXPECT_EQ(ReasonOf(limits.CheckPriority("bea", 501)), ErrorReason::kBadPriority);
  EXPECT_TRUE(OwnerLimits({}).CheckPriority("bea", 500).ok()) << "the default of a job";
}

}  // namespace
}  // namespace fpo::coordinator
