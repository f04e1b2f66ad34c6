#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/rocksdb/database.h"
#include "gmock/gmock.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;

class DatabaseUpkeepTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.path = folder_ / "db";
    options_.families = {{.name = "a"}, {.name = "b", .profile = FamilyProfile::kBulk}};
    options_.free_bytes_min = 0;
    options_.free_fraction_min = 0;
    Open();
  }
  void Open() {
    database_.reset();  // closing and opening turns the log into table files
    auto database = Database::Open(options_);
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
  }
  void Fill(char prefix, int count) {
    WriteSet writes;
    for (int i = 0; i < count; ++i) {
      writes.Put(1, absl::StrCat(std::string(1, prefix), i), std::string(500, 'v'));
    }
    ASSERT_TRUE(database_->Write(writes).ok());
  }
  std::vector<std::string> Tables(const std::string& folder) const {
    std::vector<std::string> tables;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".sst") tables.push_back(entry.path());
    }
    return tables;
  }
  // Flips a bit `from_end` bytes before the end of each file.
  void Damage(const std::vector<std::string>& tables, int64_t from_end) {
    for (const std::string& table : tables) {
      std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(-from_end, std::ios::end);
      const char byte = static_cast<char>(file.get() ^ 4);
      file.seekp(-from_end, std::ios::end);
      file.put(byte);
    }
  }

  const testing::TempFolder folder_;
  DatabaseOptions options_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseUpkeepTest, VerifyFilesNamesADamagedFile) {
  Fill('x', 100);
  Open();
  ASSERT_TRUE(database_->VerifyFiles().ok());
  Damage(Tables(options_.path), 10'000);
  const absl::Status status = database_->VerifyFiles();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(".sst"));
}

TEST_F(DatabaseUpkeepTest, ADamagedFolderIsNotChangedUnlessARepairIsAllowed) {
  Fill('x', 100);
  Open();
  database_.reset();
  const std::vector<std::string> tables = Tables(options_.path);
  Damage(tables, 3);  // in the footer
  const auto opened = Database::Open(options_);
  EXPECT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
  EXPECT_THAT(std::string(opened.status().message()), ::testing::HasSubstr(".sst"));
  EXPECT_EQ(Tables(options_.path), tables);
  EXPECT_FALSE(fs::exists(options_.path + "/lost"));
  Damage(tables, 3);  // the flipped bits back
  Open();
  EXPECT_TRUE(database_->Get(1, "x7")->has_value());
}

TEST_F(DatabaseUpkeepTest, AFileThatCannotBeOpenedIsMovedAsideAndTheRestIsServed) {
  options_.repair_when_damaged = true;
  Fill('x', 100);
  Open();
  const std::string first = Tables(options_.path)[0];
  Fill('z', 100);
  Open();
  Fill('y', 100);  // still in the log
  database_.reset();
  Damage({first}, 3);  // in the footer
  Open();
  EXPECT_EQ(database_->repairs(), 1);
  EXPECT_TRUE(database_->Get(1, "y7")->has_value());
  EXPECT_TRUE(database_->Get(1, "z7")->has_value());
  EXPECT_FALSE(database_->Get(1, "x7")->has_value());
  EXPECT_EQ(Tables(options_.path + "/lost").size(), 1u);
  EXPECT_TRUE(database_->VerifyFiles().ok());
  Fill('x', 100);
  EXPECT_TRUE(database_->Get(1, "x7")->has_value());
}

TEST_F(DatabaseUpkeepTest, CompactGivesTheSpaceOfDeletedKeysBack) {
  Fill('x', 5000);
  Open();
  const int64_t before = database_->DiskBytes();
  WriteSet writes;
  for (int i = 0; i < 5000; ++i) writes.Delete(1, absl::StrCat("x", i));
  ASSERT_TRUE(database_->WriteIntoReserve(writes).ok());
  ASSERT_TRUE(database_->Compact(1, "x", "y").ok());
  EXPECT_LT(database_->DiskBytes(), before / 10);
}

// B4: whoever is about to reopen the store does not wait for minutes of compaction.
TEST_F(DatabaseUpkeepTest, CompactionsEndWhenTheStoreIsToBeReopened) {
  Fill('x', 100);
  database_->EndCompactions();
  EXPECT_FALSE(database_->Compact(1, "x", "y").ok());
  Open();
  EXPECT_TRUE(database_->Compact(1, "x", "y").ok()) << "until it is open again";
}

TEST_F(DatabaseUpkeepTest, ACopyIsVerifiedWithoutOpeningItForWrites) {
  Fill('x', 100);
  DatabaseOptions copy = options_;
  copy.path = folder_ / "copy";
  ASSERT_TRUE(database_->Checkpoint(copy.path).ok());
  EXPECT_TRUE(Database::VerifyFolder(copy).ok());
  for (const std::string& table : Tables(copy.path)) fs::resize_file(table, 1000);
  EXPECT_TRUE(absl::IsDataLoss(Database::VerifyFolder(copy)));
}

TEST_F(DatabaseUpkeepTest, PropertiesHaveDistinctNames) {
  std::set<std::string> names;
  for (const auto& [name, value] : database_->Properties()) {
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_GE(value, 0) << name;
  }
  EXPECT_TRUE(names.contains("block_cache_usage_bytes"));
}

}  // namespace
}  // namespace fpo
