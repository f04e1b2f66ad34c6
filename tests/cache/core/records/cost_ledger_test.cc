#include "cache/core/records/cost_ledger.h"

#include "gtest/gtest.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

TEST(CostLedger, AHitSavesWhatARecordOfItsRecipeCostOnAverage) {
  CostLedger ledger({{TestKey(1), {.records = 10, .seconds = 5, .flops = 1e12}}});
  EXPECT_DOUBLE_EQ(ledger.SavedBy(TestKey(1), 4).seconds, 2.0);
  ledger.Add(TestKey(1), {.records = 10, .seconds = 15, .flops = 3e12});
  EXPECT_DOUBLE_EQ(ledger.SavedBy(TestKey(1), 4).seconds, 4.0);
  EXPECT_DOUBLE_EQ(ledger.SavedBy(TestKey(1), 4).flops, 8e11);
}

TEST(CostLedger, AnUnmeasuredRecipeSavesNothing) {
  CostLedger ledger({});
  ledger.Add(TestKey(1), {.records = 10, .seconds = 0, .flops = 0});
  ledger.Add(TestKey(1), {.records = 0, .seconds = 3, .flops = 0});
  EXPECT_EQ(ledger.SavedBy(TestKey(1), 100).seconds, 0);
  EXPECT_TRUE(ledger.TakeChanged().empty());
}

TEST(CostLedger, ChangesAreTakenOnceWithTheWholeSum) {
  CostLedger ledger({{TestKey(1), {.records = 1, .seconds = 1, .flops = 0}}});
  ledger.Add(TestKey(1), {.records = 2, .seconds = 2, .flops = 0});
  const auto changed = ledger.TakeChanged();
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(changed[0].second.records, 3);
  EXPECT_TRUE(ledger.TakeChanged().empty());
}

}  // namespace
}  // namespace fpo::cache
