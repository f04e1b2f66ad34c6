#include "tests/cache/core/store_contract.h"

#include <algorithm>
#include <thread>

#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

const absl::Time kContractNow = absl::FromUnixSeconds(1'000'000);

ManifestHeader MakeHeader(const Recipe& recipe, const std::vector<Digest>& keys) {
  ManifestHeader header;
  header.recipe_id = RecipeId(recipe);
  header.id = ManifestId(header.recipe_id, keys);
  header.recipe = CanonicalRecipe(recipe);
  header.total = static_cast<int64_t>(keys.size());
  header.owner = "ann";
  header.name = "job";
  header.shares = {{"ann", "public"}};
  header.created = header.used = kContractNow;
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

TEST_P(StoreContract, PuttingAManifestAgainChangesOnlyItsTimeOfUseAndAddsTheOwner) {
  const std::vector<Digest> keys = TestKeys(3);
  ManifestHeader header = MakeHeader(MarginTestRecipe(), keys);
  ASSERT_TRUE(store().PutManifest(header, keys).ok());
  ManifestHeader again = header;
  again.owner = "bob";
  again.shares = {{"bob", "private"}};
  again.created = again.used = kContractNow + absl::Hours(1);
  ASSERT_TRUE(store().PutManifest(again, keys).ok());
  header.used = again.used;
  header.shares.push_back({"bob", "private"});
  EXPECT_EQ(*store().GetManifest(header.id), header);
  EXPECT_EQ(store().ListManifests()->size(), 1u);
  EXPECT_EQ(store().Totals().manifests, 1);
}

// So much goes another way into the store on disk.
TEST_P(StoreContract, ALargePutIsLikeManySmallOnes) {
  Recipe recipe = FeatureTestRecipe();
  std::vector<PackedRecord> records;
  for (int i = 0; i < 2500; ++i) {
    Record record = {.sum_logp = -1.0 * i, .tokens = 9, .features = {}};
    record.features.resize(recipe.sae.size());
    for (uint32_t f = 0; f < 1000; ++f) record.features[0].emplace_back(7 * f, 1.5f + f);
    records.push_back(fpo::Pack(TestKey(i), record));
  }
  ASSERT_TRUE(
      store().PutRecords(recipe, absl::MakeConstSpan(records).subspan(0, 10), kContractNow).ok());
  const auto put = store().PutRecords(recipe, records, kContractNow);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(std::count(put->outcomes.begin(), put->outcomes.end(), PutOutcome::kStored), 2490);
  EXPECT_EQ(store().Totals().records, 5000) << "with the margin-only forms";
  const Digest recipe_id = RecipeId(recipe);
  for (const int i : {0, 9, 10, 2499}) {
    const auto read = store().ReadRecords(recipe_id, {TestKey(i)}, kContractNow);
    ASSERT_TRUE(read.ok() && read->records[0]) << i;
    EXPECT_EQ(*read->records[0], records[static_cast<size_t>(i)]);
  }
  EXPECT_EQ(store().ScanIndex({}, 10'000)->entries.size(), 5000u);
}

TEST_P(StoreContract, NamesAMissingManifest) {
  const absl::Status status = store().GetManifest(TestKey(1)).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(ToHex(TestKey(1))));
  EXPECT_TRUE(absl::IsNotFound(store().ManifestKeys(TestKey(1), 0, 1).status()));
  EXPECT_TRUE(absl::IsNotFound(store().ChangeManifest(TestKey(1), {.used = kContractNow})));
}

TEST_P(StoreContract, ReadsBackWhatWasPut) {
  const Recipe recipe = MarginTestRecipe();
  const std::vector<PackedRecord> records = TestRecords(recipe, 3);
  const auto result = store().PutRecords(recipe, records, kContractNow);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->outcomes, ::testing::Each(PutOutcome::kStored));
  EXPECT_EQ(result->added.size(), 3u);
  const auto read = Read(RecipeId(recipe), TestKeys(4));
  ASSERT_TRUE(read.ok()) << read.status();
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*read)[i]->bytes, records[i].bytes);
  EXPECT_FALSE((*read)[3].has_value());
  const auto entries = store().Lookup(RecipeId(recipe), TestKeys(4));
  EXPECT_EQ((*entries)[0]->digest, records[0].sha256);
  EXPECT_EQ((*entries)[0]->created, kContractNow);
  EXPECT_FALSE((*entries)[3].has_value());
  EXPECT_EQ(store().Totals().records, 3);
}

TEST_P(StoreContract, TheFirstValueOfAKeyStays) {
  const Recipe recipe = MarginTestRecipe();
  const PackedRecord first = TestRecord(recipe, 1);
  const PackedRecord second = TestRecord(recipe, 1, 0.25);
  ASSERT_TRUE(store().PutRecords(recipe, {first}, kContractNow).ok());
  EXPECT_EQ(store().PutRecords(recipe, {first}, kContractNow)->outcomes[0], PutOutcome::kPresent);
  const auto conflict = store().PutRecords(recipe, {second}, kContractNow);
  EXPECT_EQ(conflict->outcomes[0], PutOutcome::kConflict);
  EXPECT_TRUE(conflict->added.empty());
  EXPECT_EQ((*Read(RecipeId(recipe), {first.key}))[0]->bytes, first.bytes);
  EXPECT_EQ(store().Totals().records, 1);
}

TEST_P(StoreContract, AFeatureRecordAnswersForItsMarginOnlyRecipe) {
  const Recipe recipe = FeatureTestRecipe();
  const Digest margin_id = RecipeId(MarginRecipe(recipe));
  ASSERT_TRUE(store().PutRecords(recipe, TestRecords(recipe, 2), kContractNow).ok());
  const auto margin = Read(margin_id, TestKeys(2));
  ASSERT_TRUE(margin.ok() && (*margin)[0] && (*margin)[1]);
  EXPECT_EQ((*margin)[0]->bytes, TestRecord(MarginTestRecipe(), 0).bytes);
  // And the other way round: the margin-only builder finds its own bytes there.
  const auto put =
      store().PutRecords(MarginTestRecipe(), TestRecords(MarginTestRecipe(), 2), kContractNow);
  EXPECT_THAT(put->outcomes, ::testing::Each(PutOutcome::kPresent));
}

TEST_P(StoreContract, AMarginStoredFirstStaysAndTheDifferenceIsCounted) {
  const Recipe recipe = FeatureTestRecipe();
  const PackedRecord margin = TestRecord(MarginTestRecipe(), 0, 0.5);
  ASSERT_TRUE(store().PutRecords(MarginTestRecipe(), {margin}, kContractNow).ok());
  const auto put = store().PutRecords(recipe, {TestRecord(recipe, 0)}, kContractNow);
  EXPECT_EQ(put->outcomes[0], PutOutcome::kStored);
  EXPECT_EQ(put->margin_conflicts, 1);
  const auto read = Read(RecipeId(MarginTestRecipe()), {margin.key});
  EXPECT_EQ((*read)[0]->bytes, margin.bytes);
}

TEST_P(StoreContract, RefusesRecordsOfAnotherRecipeWhole) {
  const Recipe recipe = FeatureTestRecipe();
  const std::vector<PackedRecord> mixed = {TestRecord(recipe, 0),
                                           TestRecord(MarginTestRecipe(), 1)};
  EXPECT_TRUE(absl::IsInvalidArgument(store().PutRecords(recipe, mixed, kContractNow).status()));
  EXPECT_EQ(store().Totals().records, 0);
}

TEST_P(StoreContract, ABadRecordIsQuarantinedAndCanBeReplaced) {
  const Recipe recipe = MarginTestRecipe();
  const Digest id = RecipeId(recipe);
  ASSERT_TRUE(store().PutRecords(recipe, TestRecords(recipe, 3), kContractNow).ok());
  under_test_->Corrupt(id, TestKey(1));
  const auto batch = store().ReadRecords(id, TestKeys(3), kContractNow);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->damaged, std::vector<size_t>{1});
  EXPECT_FALSE(batch->records[1].has_value());
  EXPECT_TRUE(batch->records[0] && batch->records[2]);
  EXPECT_TRUE((*store().Lookup(id, {TestKey(1)}))[0]->quarantined);
  EXPECT_FALSE((*store().Lookup(id, {TestKey(0)}))[0]->quarantined);
  EXPECT_EQ(store().Totals().records, 2);
  EXPECT_EQ(store().Totals().quarantined, 1);
  const auto again = store().ReadRecords(id, TestKeys(3), kContractNow);
  EXPECT_TRUE(again->damaged.empty()) << "it is absent now";
  const auto evidence = store().ListQuarantined(10);
  ASSERT_EQ(evidence->size(), 1u);
  EXPECT_EQ((*evidence)[0].position.key, TestKey(1));
  EXPECT_EQ((*evidence)[0].when, kContractNow);
  EXPECT_THAT((*evidence)[0].reason, ::testing::HasSubstr("SHA-256"));
  EXPECT_FALSE((*evidence)[0].bytes.empty());
  ASSERT_TRUE(store().ForgetQuarantined(kContractNow + absl::Seconds(1)).ok());
  EXPECT_TRUE(store().ListQuarantined(10)->empty());
  const auto put = store().PutRecords(recipe, {TestRecord(recipe, 1)}, kContractNow);
  EXPECT_EQ(put->outcomes[0], PutOutcome::kStored);
  EXPECT_TRUE((*Read(id, TestKeys(3)))[1].has_value());
  EXPECT_EQ(store().Totals().records, 3);
  EXPECT_EQ(store().Totals().quarantined, 0);
}

TEST_P(StoreContract, ARecordCanBeQuarantinedByHand) {
  const Recipe recipe = MarginTestRecipe();
  const Digest id = RecipeId(recipe);
  ASSERT_TRUE(store().PutRecords(recipe, TestRecords(recipe, 2), kContractNow).ok());
  for (const int key : {0, 0, 7}) {  // the second time, and an absent one: nothing happens
    ASSERT_TRUE(store().Quarantine({{id, TestKey(key)}, kContractNow, "by hand", ""}).ok());
  }
  EXPECT_TRUE((*store().Lookup(id, {TestKey(0)}))[0]->quarantined);
  EXPECT_FALSE((*Read(id, TestKeys(2)))[0].has_value()) << "it is not read any more";
  EXPECT_EQ(store().Totals().records, 1);
  EXPECT_EQ(store().ListQuarantined(10)->size(), 1u);
}

TEST_P(StoreContract, ChangesOnlyWhatIsGivenInAHeader) {
  const std::vector<Digest> keys = TestKeys(3);
  ManifestHeader header = MakeHeader(MarginTestRecipe(), keys);
  ASSERT_TRUE(store().PutManifest(header, keys).ok());
  ASSERT_TRUE(store().ChangeManifest(header.id, {.pinned_until = absl::InfiniteFuture()}).ok());
  ASSERT_TRUE(store().ChangeManifest(header.id, {.used = kContractNow + absl::Hours(1)}).ok());
  header.used = kContractNow + absl::Hours(1);
  header.pinned_until = absl::InfiniteFuture();
  EXPECT_EQ(*store().GetManifest(header.id), header);
  // Putting it again never shortens what protects it.
  header.retained_until = kContractNow;
  ASSERT_TRUE(store().PutManifest(MakeHeader(MarginTestRecipe(), keys), keys).ok());
  EXPECT_EQ(store().GetManifest(header.id)->pinned_until, absl::InfiniteFuture());
}

TEST_P(StoreContract, ARemovedManifestIsGoneAndItsRecordsStay) {
  const Recipe recipe = MarginTestRecipe();
  const std::vector<Digest> keys = TestKeys(5000);
  const ManifestHeader header = MakeHeader(recipe, keys);
  ASSERT_TRUE(store().PutManifest(header, keys).ok());
  ASSERT_TRUE(store().PutRecords(recipe, TestRecords(recipe, 2), kContractNow).ok());
  ASSERT_TRUE(store().RemoveManifest(header.id).ok());
  ASSERT_TRUE(store().RemoveManifest(header.id).ok());
  EXPECT_TRUE(absl::IsNotFound(store().GetManifest(header.id).status()));
  EXPECT_TRUE(absl::IsNotFound(store().ManifestKeys(header.id, 0, 1).status()));
  EXPECT_EQ(store().Totals().manifests, 0);
  EXPECT_EQ(store().Totals().records, 2);
}

TEST_P(StoreContract, TheIndexIsReadInPages) {
  const Recipe recipe = FeatureTestRecipe();
  ASSERT_TRUE(store().PutRecords(recipe, TestRecords(recipe, 10), kContractNow).ok());
  std::vector<RecordPosition> seen;
  std::optional<RecordPosition> from = RecordPosition{};
  while (from) {
    const auto page = store().ScanIndex(*from, 3);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->entries.size(), 3u);
    for (const auto& [position, entry] : page->entries) {
      seen.push_back(position);
      EXPECT_EQ(entry.created, kContractNow);
    }
    from = page->next;
  }
  EXPECT_EQ(seen.size(), 20u);  // with and without features
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST_P(StoreContract, RemovedRecordsAreAbsentAndCanBeStoredAgain) {
  const Recipe recipe = MarginTestRecipe();
  const Digest id = RecipeId(recipe);
  ASSERT_TRUE(store().PutRecords(recipe, TestRecords(recipe, 4), kContractNow).ok());
  const int64_t bytes = store().Totals().bytes;
  ASSERT_TRUE(store().RemoveRecords(id, {TestKey(1), TestKey(3), TestKey(99)}).ok());
  EXPECT_EQ(store().Totals().records, 2);
  EXPECT_EQ(store().Totals().bytes * 2, bytes);
  const auto read = Read(id, TestKeys(4));
  EXPECT_TRUE((*read)[0] && !(*read)[1] && (*read)[2] && !(*read)[3]);
  EXPECT_FALSE((*store().Lookup(id, {TestKey(1)}))[0].has_value());
  ASSERT_TRUE(store().Compact().ok());
  EXPECT_EQ(store().PutRecords(recipe, TestRecords(recipe, 4), kContractNow)->added.size(), 2u);
}

TEST_P(StoreContract, CostsAreKeptPerRecipe) {
  const RecipeCost cost{.records = 7, .seconds = 1.5, .flops = 2e12};
  ASSERT_TRUE(store().PutCost(TestKey(1), cost).ok());
  ASSERT_TRUE(store().PutCost(TestKey(2), {}).ok());
  EXPECT_EQ(store().ListCosts()->size(), 2u);
  EXPECT_EQ(store().ListCosts()->at(TestKey(1)), cost);
}

TEST_P(StoreContract, RacingPutsOfOneKeyStoreOneValue) {
  const Recipe recipe = MarginTestRecipe();
  std::vector<std::thread> builders;
  std::atomic<int> stored = 0;
  for (int b = 0; b < 8; ++b) {
    builders.emplace_back([&, b] {
      for (int i = 0; i < 20; ++i) {
        const auto put = store().PutRecords(recipe, {TestRecord(recipe, i, b)}, kContractNow);
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
