#include "cache/core/records/put_plan.h"

#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

TEST(PutPlan, AddsTheMarginOnlyFormOfEachFeatureRecord) {
  const Recipe recipe = FeatureTestRecipe();
  const std::vector<PackedRecord> records = TestRecords(recipe, 2);
  const auto plan = PlanPut(recipe, records);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->size(), 4u);
  EXPECT_EQ((*plan)[2].answers, 1u);
  EXPECT_EQ((*plan)[3].answers, std::nullopt);
  EXPECT_EQ((*plan)[3].recipe_id, RecipeId(MarginTestRecipe()));
  EXPECT_EQ((*plan)[3].record->bytes, TestRecord(MarginTestRecipe(), 1).bytes);
}

TEST(PutPlan, AMarginOnlyRecipeIsLeftAsItIs) {
  const Recipe recipe = MarginTestRecipe();
  EXPECT_EQ(PlanPut(recipe, TestRecords(recipe, 2))->size(), 2u);
}

TEST(PutPlan, NamesARecordThatIsNoneOrOfAnotherRecipe) {
  PackedRecord garbage = TestRecord(MarginTestRecipe(), 4);
  garbage.bytes = "no record";
  for (const PackedRecord& bad : {garbage, TestRecord(FeatureTestRecipe(), 4)}) {
    const absl::Status status = PlanPut(MarginTestRecipe(), {bad}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(ToHex(TestKey(4))));
  }
}

TEST(PutPlan, OutcomeFollowsWhatIsThere) {
  const PackedRecord record = TestRecord(MarginTestRecipe(), 0);
  const PlannedRecord planned{RecipeId(MarginTestRecipe()), &record, 0};
  IndexEntry entry{.digest = record.sha256};
  EXPECT_EQ(OutcomeFor(planned, std::nullopt), PutOutcome::kStored);
  EXPECT_EQ(OutcomeFor(planned, entry), PutOutcome::kPresent);
  entry.quarantined = true;
  EXPECT_EQ(OutcomeFor(planned, entry), PutOutcome::kStored);
  EXPECT_EQ(OutcomeFor(planned, IndexEntry{.digest = TestKey(9)}), PutOutcome::kConflict);
}

TEST(PutPlan, CollectsOutcomesOfTheCallersRecordsOnly) {
  const Recipe recipe = FeatureTestRecipe();
  const std::vector<PackedRecord> records = TestRecords(recipe, 2);
  const auto plan = PlanPut(recipe, records);
  const PutResult result = CollectOutcomes(*plan, {PutOutcome::kStored, PutOutcome::kConflict,
                                                   PutOutcome::kPresent, PutOutcome::kStored});
  EXPECT_THAT(result.outcomes, ::testing::ElementsAre(PutOutcome::kStored, PutOutcome::kPresent));
  EXPECT_EQ(result.margin_conflicts, 1);
  ASSERT_EQ(result.added.size(), 2u);
  EXPECT_EQ(result.added[1].recipe_id, RecipeId(MarginTestRecipe()));
}

}  // namespace
}  // namespace fpo::cache
