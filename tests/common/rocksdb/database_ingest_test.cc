#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/rocksdb/database.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

class DatabaseIngestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.path = folder_ / "db";
    options_.families = {
        {.name = "a", .partition_prefix_bytes = 2},
        {.name = "b", .profile = FamilyProfile::kBulk, .partition_prefix_bytes = 2}};
    options_.free_bytes_min = 0;
    options_.free_fraction_min = 0;
    Open();
  }
  void Open() {
    database_.reset();
    auto database = Database::Open(options_);
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
  }
  static std::string Key(int i) { return absl::StrCat(i % 3, i % 2, "-", i * 7919 % 1000); }
  static WriteSet Some(int from, int to, const std::string& value) {
    WriteSet writes;
    for (int i = from; i < to; ++i) {
      writes.Put(0, Key(i), absl::StrCat(value, i));
      writes.Put(1, Key(i), std::string(500, 'x') + absl::StrCat(value, i));
    }
    return writes;
  }
  void ExpectStored(int from, int to, const std::string& value) {
    for (int i = from; i < to; ++i) {
      EXPECT_EQ(*database_->Get(0, Key(i)), absl::StrCat(value, i));
      EXPECT_EQ(*database_->Get(1, Key(i)), std::string(500, 'x') + absl::StrCat(value, i));
    }
  }
  int Leftovers() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.path)) {
      count += entry.path().filename().string().rfind("ingest-", 0) == 0;
    }
    return count;
  }

  const fpo::testing::TempFolder folder_;
  DatabaseOptions options_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseIngestTest, IsReadAtOnceAndAfterReopening) {
  ASSERT_TRUE(database_->Write(Some(0, 20, "old")).ok());
  ASSERT_TRUE(database_->Ingest(Some(10, 600, "new")).ok());
  ASSERT_TRUE(database_->Ingest(Some(600, 900, "new")).ok()) << "the key ranges overlap";
  ExpectStored(0, 10, "old");
  ExpectStored(10, 900, "new");
  EXPECT_EQ(Leftovers(), 0);
  EXPECT_TRUE(database_->VerifyFiles().ok());
  Open();
  ExpectStored(10, 900, "new");
  ASSERT_TRUE(database_->Write(Some(10, 12, "newer")).ok());
  ExpectStored(10, 12, "newer");
}

TEST_F(DatabaseIngestTest, TakesValuesOnly) {
  WriteSet writes = Some(0, 3, "v");
  writes.Delete(0, "x");
  EXPECT_EQ(database_->Ingest(writes).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*database_->Get(0, Key(1)), std::nullopt);
  EXPECT_EQ(Leftovers(), 0);
}

TEST_F(DatabaseIngestTest, WhatAKilledProcessLeftGoesWhenItOpens) {
  std::ofstream(options_.path + "/ingest-0123") << "half a file";
  Open();
  EXPECT_EQ(Leftovers(), 0);
}

}  // namespace
}  // namespace fpo
