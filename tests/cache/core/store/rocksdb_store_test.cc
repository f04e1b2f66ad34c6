#include "cache/core/store/rocksdb_store.h"

#include <limits>

#include "cache/core/store/key_layout.h"
#include "common/rocksdb/database.h"
#include "tests/cache/core/store_contract.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/temp_folder.h"

namespace fpo::cache {
namespace {

using ::fpo::testing::TempFolder;

RocksdbStoreOptions OptionsFor(const TempFolder& folder) {
  return {.path = folder.path() + "/store", .free_bytes_min = 0, .free_fraction_min = 0};
}

class RocksdbUnderTest final : public StoreUnderTest {
 public:
  RocksdbUnderTest() { Open(); }
  Store& store() override { return *store_; }

  // Flips a bit of the value as a failing disk would, behind the store's back.
  void Corrupt(const Digest& recipe_id, const Digest& key) override {
    store_.reset();
    DatabaseOptions options;
    options.path = OptionsFor(folder_).path;
    options.families = {{.name = "meta"},
                        {.name = "manifests"},
                        {.name = "index"},
                        {.name = "data", .profile = FamilyProfile::kBulk},
                        {.name = "quarantine", .profile = FamilyProfile::kBulk}};
    options.free_bytes_min = 0;
    options.free_fraction_min = 0;
    auto database = Database::Open(options);
    ASSERT_TRUE(database.ok()) << database.status();
    const std::string path = RecordPath(recipe_id, key);
    std::string value = **(*database)->Get(3, path);
    value[2] ^= 1;
    WriteSet writes;
    writes.Put(3, path, value);
    ASSERT_TRUE((*database)->Write(writes).ok());
    database->reset();
    Open();
  }

 private:
  void Open() {
    auto store = RocksdbStore::Open(OptionsFor(folder_));
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  TempFolder folder_;
  std::unique_ptr<RocksdbStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Rocksdb, StoreContract, ::testing::Values([] {
                           return std::unique_ptr<StoreUnderTest>(new RocksdbUnderTest());
                         }));

TEST(RocksdbStore, FindsEverythingAgainWithALargerBootNumber) {
  const TempFolder folder;
  const Recipe recipe = FeatureTestRecipe();
  const std::vector<Digest> keys = TestKeys(5000);
  ManifestHeader header;
  header.recipe_id = RecipeId(recipe);
  header.id = ManifestId(header.recipe_id, keys);
  header.recipe = CanonicalRecipe(recipe);
  header.total = 5000;
  StoreTotals before;
  {
    auto store = RocksdbStore::Open(OptionsFor(folder));
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->BootNumber(), 1u);
    ASSERT_TRUE((*store)->PutManifest(header, keys).ok());
    ASSERT_TRUE((*store)->PutRecords(recipe, TestRecords(recipe, 10), absl::Now()).ok());
    before = (*store)->Totals();
  }
  auto store = RocksdbStore::Open(OptionsFor(folder));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->BootNumber(), 2u);
  EXPECT_EQ(*(*store)->ManifestKeys(header.id, 0, 5000), keys);
  const StoreTotals after = (*store)->Totals();
  EXPECT_EQ(after.records, 20);  // ten with features, ten margin-only
  EXPECT_EQ(after.records, before.records);
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(after.recipes, 2);
  EXPECT_EQ(before.recipes, 2);
}

TEST(RocksdbStore, ASecondProcessIsRefused) {
  const TempFolder folder;
  const auto first = RocksdbStore::Open(OptionsFor(folder));
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(RocksdbStore::Open(OptionsFor(folder)).status()));
}

TEST(RocksdbStore, ANearlyFullDiskRefusesWritesAndStillOpensAndReads) {
  const TempFolder folder;
  const Recipe recipe = MarginTestRecipe();
  RocksdbStoreOptions options = OptionsFor(folder);
  {
    auto store = RocksdbStore::Open(options);
    ASSERT_TRUE((*store)->PutRecords(recipe, TestRecords(recipe, 1), absl::Now()).ok());
  }
  options.free_bytes_min = std::numeric_limits<int64_t>::max();
  auto store = RocksdbStore::Open(options);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE(absl::IsResourceExhausted((*store)->Writable()));
  const auto put = (*store)->PutRecords(recipe, TestRecords(recipe, 1, 5), absl::Now());
  EXPECT_TRUE(absl::IsResourceExhausted(put.status()));
  EXPECT_TRUE(
      (*store)->ReadRecords(RecipeId(recipe), TestKeys(1), absl::Now())->records[0].has_value());
}

TEST(RocksdbStore, AStoreOfANewerProgramIsRefusedAndLeftAsItIs) {
  const TempFolder folder;
  ASSERT_TRUE(RocksdbStore::Open(OptionsFor(folder)).ok());
  DatabaseOptions raw{.path = OptionsFor(folder).path};
  for (const char* name : {"meta", "manifests", "index", "data", "quarantine"}) {
    raw.families.push_back({.name = name});
  }
  const auto version = [&] { return *Database::Open(raw).value()->Get(0, SchemaKey()).value(); };
  EXPECT_EQ(version(), "1");
  for (const char* other : {"2", "x"}) {
    WriteSet writes;
    writes.Put(0, SchemaKey(), other);
    ASSERT_TRUE(Database::Open(raw).value()->WriteIntoReserve(writes).ok());
    const absl::Status refused = RocksdbStore::Open(OptionsFor(folder)).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_NE(refused.message().find("start the newer program"), std::string::npos) << refused;
    EXPECT_EQ(version(), other);
  }
}

}  // namespace
}  // namespace fpo::cache
