#include <filesystem>
#include <fstream>

#include "cache/core/store/rocksdb_store.h"
#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/temp_folder.h"

namespace fpo::cache {
namespace {

namespace fs = std::filesystem;

class RocksdbStoreUpkeepTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(store_->PutManifest(Header(), TestKeys(kRecords)).ok());
    ASSERT_TRUE(store_->PutRecords(recipe_, TestRecords(recipe_, kRecords), absl::Now()).ok());
    Open();  // into table files
  }
  void Open(const std::string& folder = "store") {
    store_.reset();
    auto store =
        RocksdbStore::Open({.path = folder_ / folder, .free_bytes_min = 0, .free_fraction_min = 0});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  ManifestHeader Header() const {
    ManifestHeader header;
    header.recipe_id = RecipeId(recipe_);
    header.id = ManifestId(header.recipe_id, TestKeys(kRecords));
    header.recipe = CanonicalRecipe(recipe_);
    header.total = kRecords;
    return header;
  }
  // Flips one bit in the table file that holds `text`.
  void DamageTableWith(const std::string& text, int64_t at_text) {
    store_.reset();
    for (const auto& entry : fs::directory_iterator(folder_ / "store")) {
      if (entry.path().extension() != ".sst") continue;
      std::string bytes = fpo::testing::ReadWhole(entry.path());
      const size_t found = bytes.find(text);
      if (found == std::string::npos) continue;
      bytes[found + static_cast<size_t>(at_text)] ^= 1;
      fpo::testing::WriteWhole(entry.path(), bytes);
      return;
    }
    FAIL() << "no table holds it";
  }
  RecordBatch ReadAll() {
    auto batch = store_->ReadRecords(RecipeId(recipe_), TestKeys(kRecords), absl::Now());
    EXPECT_TRUE(batch.ok()) << batch.status();
    return *batch;
  }

  static constexpr int kRecords = 500;
  const fpo::testing::TempFolder folder_;
  const Recipe recipe_ = MarginTestRecipe();
  std::unique_ptr<RocksdbStore> store_;
};

TEST_F(RocksdbStoreUpkeepTest, ADamagedDataBlockCostsOnlyTheRecordsInIt) {
  const PackedRecord record = TestRecord(recipe_, 17);
  DamageTableWith(record.bytes + ToBytes(record.sha256), 3);
  Open();
  EXPECT_TRUE(absl::IsDataLoss(store_->VerifyFiles()));
  const RecordBatch batch = ReadAll();
  EXPECT_FALSE(batch.damaged.empty());
  EXPECT_LT(batch.damaged.size(), static_cast<size_t>(kRecords));
  EXPECT_FALSE(batch.records[17].has_value());
  EXPECT_EQ(store_->Totals().quarantined, static_cast<int64_t>(batch.damaged.size()));
  // Stored again, everything is there.
  const auto put = store_->PutRecords(recipe_, TestRecords(recipe_, kRecords), absl::Now());
  EXPECT_EQ(put->added.size(), batch.damaged.size());
  EXPECT_TRUE(ReadAll().damaged.empty());
  for (int i = 0; i < kRecords; ++i) {
    EXPECT_EQ(ReadAll().records[static_cast<size_t>(i)]->bytes, TestRecord(recipe_, i).bytes);
    if (i > 20) break;
  }
}

TEST_F(RocksdbStoreUpkeepTest, ADamagedIndexIsMadeAgainFromTheData) {
  const PackedRecord record = TestRecord(recipe_, 17);
  // In the index the digest is followed by the time, in the data by the next record.
  DamageTableWith(
      std::string(1, '\0') + std::string("\x0c\0\0\0", 4).substr(0, 0) + ToBytes(record.sha256), 5);
  Open();
  EXPECT_EQ(store_->Totals().records, kRecords);
  const RecordBatch batch = ReadAll();
  EXPECT_TRUE(batch.damaged.empty());
  EXPECT_TRUE(batch.records[17].has_value());
}

TEST_F(RocksdbStoreUpkeepTest, ACopyIsAStoreOfItsOwn) {
  ASSERT_TRUE(store_->CopyTo(folder_ / "copy").ok());
  EXPECT_FALSE(store_->CopyTo(folder_ / "copy").ok()) << "it exists";
  ASSERT_TRUE(store_->PutRecords(recipe_, TestRecords(recipe_, 1, 9000), absl::Now()).ok());
  Open("copy");
  EXPECT_EQ(store_->Totals().records, kRecords);
  EXPECT_EQ(*store_->ManifestKeys(Header().id, 0, kRecords), TestKeys(kRecords));
  EXPECT_TRUE(ReadAll().damaged.empty());
}

TEST_F(RocksdbStoreUpkeepTest, PuttingAManifestAgainMendsItsKeys) {
  DamageTableWith(ToBytes(TestKey(0)) + ToBytes(TestKey(1)), 3);
  Open();
  ASSERT_TRUE(store_->PutManifest(Header(), TestKeys(kRecords)).ok());
  EXPECT_EQ(*store_->ManifestKeys(Header().id, 0, kRecords), TestKeys(kRecords));
}

}  // namespace
}  // namespace fpo::cache
