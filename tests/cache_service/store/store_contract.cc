#include "tests/cache_service/store/store_contract.h"

#include <thread>

#include "gmock/gmock.h"
#include "tests/cache_service/store/test_records.h"

namespace fpo::cache {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

ManifestHeader MakeHeader(const Recipe& recipe, const std::vector<Digest>& keys) {
  ManifestHeader header;
  header.recipe_id = RecipeId(recipe);
  header.id = ManifestId(header.recipe_id, keys);
  header.recipe = CanonicalRecipe(recipe);
  header.total = static_cast<int64_t>(keys.size());
  header.owner = "ann";
  header.name = "job";
  header.created = header.used = kNow;
  return header;
}

TEST_P(StoreContract, KeepsAManifestWithItsKeysInOrder) {
  const std::vector<Digest> keys = TestKeys(10'000);
  const ManifestHeader header = MakeHeader(MarginTestRecipe(), keys);
  ASSERT_TRUE(store().PutManifest(header, keys).ok());
  EXPECT_EQ(*store().GetManifest(header.id), header);
  EXPECT_EQ(*store().ManifestKeys(header.id, 0, 10'000), keys);
  const std::vector<Digest> middle(keys.begin() + 4000, keys.begin() + 9000);
  EXPECT_EQ(*store().ManifestKeys(header.id, 4000, 5000), middle);
  EXPECT_EQ(store().ManifestKeys(header.id, 9'999, 50)->size(), 1u);
  EXPECT_TRUE(store().ManifestKeys(header.id, 10'000, 50)->empty());
}

TEST_P(StoreContract, PuttingAManifestAgainChangesOnlyItsTimeOfUse) {
  const std::vector<Digest> keys = TestKeys(3);
  ManifestHeader header = MakeHeader(MarginTestRecipe(), keys);
  ASSERT_TRUE(store().PutManifest(header, keys).ok());
  ManifestHeader again = header;
  again.owner = "bob";
  again.created = again.used = kNow + absl::Hours(1);
  ASSERT_TRUE(store().PutManifest(again, keys).ok());
  header.used = again.used;
  EXPECT_EQ(*store().GetManifest(header.id), header);
  EXPECT_EQ(store().ListManifests()->size(), 1u);
  EXPECT_EQ(store().Totals().manifests, 1);
}

TEST_P(StoreContract, NamesAMissingManifest) {
  const absl::Status status = store().GetManifest(TestKey(1)).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(ToHex(TestKey(1))));
  EXPECT_TRUE(absl::IsNotFound(store().ManifestKeys(TestKey(1), 0, 1).status()));
  EXPECT_TRUE(absl::IsNotFound(store().TouchManifest(TestKey(1), kNow)));
}

TEST_P(StoreContract, ReadsBackWhatWasPut) {
  const Recipe recipe = MarginTestRecipe();
  const std::vector<PackedRecord> records = TestRecords(recipe, 3);
  const auto result = store().PutRecords(recipe, records, kNow);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->outcomes, ::testing::Each(PutOutcome::kStored));
  EXPECT_EQ(result->added.size(), 3u);
  const auto read = store().ReadRecords(RecipeId(recipe), TestKeys(4));
  ASSERT_TRUE(read.ok()) << read.status();
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*read)[i]->bytes, records[i].bytes);
  EXPECT_FALSE((*read)[3].has_value());
  const auto entries = store().Lookup(RecipeId(recipe), TestKeys(4));
  EXPECT_EQ((*entries)[0]->digest, records[0].sha256);
  EXPECT_EQ((*entries)[0]->created, kNow);
  EXPECT_FALSE((*entries)[3].has_value());
  EXPECT_EQ(store().Totals().records, 3);
}

TEST_P(StoreContract, TheFirstValueOfAKeyStays) {
  const Recipe recipe = MarginTestRecipe();
  const PackedRecord first = TestRecord(recipe, 1);
  const PackedRecord second = TestRecord(recipe, 1, 0.25);
  ASSERT_TRUE(store().PutRecords(recipe, {first}, kNow).ok());
  EXPECT_EQ(store().PutRecords(recipe, {first}, kNow)->outcomes[0], PutOutcome::kPresent);
  const auto conflict = store().PutRecords(recipe, {second}, kNow);
  EXPECT_EQ(conflict->outcomes[0], PutOutcome::kConflict);
  EXPECT_TRUE(conflict->added.empty());
  EXPECT_EQ((*store().ReadRecords(RecipeId(recipe), {first.key}))[0]->bytes, first.bytes);
  EXPECT_EQ(store().Totals().records, 1);
}

TEST_P(StoreContract, AFeatureRecordAnswersForItsMarginOnlyRecipe) {
  const Recipe recipe = FeatureTestRecipe();
  const Digest margin_id = RecipeId(MarginRecipe(recipe));
  ASSERT_TRUE(store().PutRecords(recipe, TestRecords(recipe, 2), kNow).ok());
  const auto margin = store().ReadRecords(margin_id, TestKeys(2));
  ASSERT_TRUE(margin.ok() && (*margin)[0] && (*margin)[1]);
  EXPECT_EQ((*margin)[0]->bytes, TestRecord(MarginTestRecipe(), 0).bytes);
  // And the other way round: the margin-only builder finds its own bytes there.
  const auto put = store().PutRecords(MarginTestRecipe(), TestRecords(MarginTestRecipe(), 2), kNow);
  EXPECT_THAT(put->outcomes, ::testing::Each(PutOutcome::kPresent));
}

TEST_P(StoreContract, AMarginStoredFirstStaysAndTheDifferenceIsCounted) {
  const Recipe recipe = FeatureTestRecipe();
  const PackedRecord margin = TestRecord(MarginTestRecipe(), 0, 0.5);
  ASSERT_TRUE(store().PutRecords(MarginTestRecipe(), {margin}, kNow).ok());
  const auto put = store().PutRecords(recipe, {TestRecord(recipe, 0)}, kNow);
  EXPECT_EQ(put->outcomes[0], PutOutcome::kStored);
  EXPECT_EQ(put->margin_conflicts, 1);
  const auto read = store().ReadRecords(RecipeId(MarginTestRecipe()), {margin.key});
  EXPECT_EQ((*read)[0]->bytes, margin.bytes);
}

TEST_P(StoreContract, RefusesRecordsOfAnotherRecipeWhole) {
  const Recipe recipe = FeatureTestRecipe();
  const std::vector<PackedRecord> mixed = {TestRecord(recipe, 0),
                                           TestRecord(MarginTestRecipe(), 1)};
  EXPECT_TRUE(absl::IsInvalidArgument(store().PutRecords(recipe, mixed, kNow).status()));
  EXPECT_EQ(store().Totals().records, 0);
}

TEST_P(StoreContract, ABadRecordIsQuarantinedAndCanBeReplaced) {
  const Recipe recipe = MarginTestRecipe();
  const Digest id = RecipeId(recipe);
  ASSERT_TRUE(store().PutRecords(recipe, TestRecords(recipe, 3), kNow).ok());
  under_test_->Corrupt(id, TestKey(1));
  const absl::Status status = store().ReadRecords(id, TestKeys(3)).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(ToHex(TestKey(1))));
  EXPECT_TRUE((*store().Lookup(id, {TestKey(1)}))[0]->quarantined);
  EXPECT_FALSE((*store().Lookup(id, {TestKey(0)}))[0]->quarantined);
  EXPECT_EQ(store().Totals().records, 2);
  const auto put = store().PutRecords(recipe, {TestRecord(recipe, 1)}, kNow);
  EXPECT_EQ(put->outcomes[0], PutOutcome::kStored);
  EXPECT_TRUE(store().ReadRecords(id, TestKeys(3)).ok());
  EXPECT_EQ(store().Totals().records, 3);
}

TEST_P(StoreContract, RacingPutsOfOneKeyStoreOneValue) {
  const Recipe recipe = MarginTestRecipe();
  std::vector<std::thread> builders;
  std::atomic<int> stored = 0;
  for (int b = 0; b < 8; ++b) {
    builders.emplace_back([&, b] {
      for (int i = 0; i < 20; ++i) {
        const auto put = store().PutRecords(recipe, {TestRecord(recipe, i, b)}, kNow);
        stored += put->outcomes[0] == PutOutcome::kStored;
      }
    });
  }
  for (std::thread& builder : builders) builder.join();
  EXPECT_EQ(stored, 20);
  EXPECT_EQ(store().Totals().records, 20);
}

}  // namespace
}  // namespace fpo::cache
