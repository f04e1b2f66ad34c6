#include "common/rocksdb/database.h"

#include <dirent.h>
#include <sys/resource.h>

#include <csignal>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.path = folder_ / "db";
    options_.families = {{.name = "a"}, {.name = "b", .profile = FamilyProfile::kBulk}};
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
  absl::Status Put(int family, const std::string& key, const std::string& value) {
    WriteSet writes;
    writes.Put(family, key, value);
    return database_->Write(writes);
  }

  const testing::TempFolder folder_;
  DatabaseOptions options_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, FamiliesAreApartAndSurviveReopening) {
  ASSERT_TRUE(Put(0, "k", "in a").ok());
  ASSERT_TRUE(Put(1, "k", "in b").ok());
  Open();
  EXPECT_THAT(*database_->Get(0, "k"), Optional(std::string("in a")));
  EXPECT_THAT(*database_->Get(1, "k"), Optional(std::string("in b")));
  EXPECT_EQ(*database_->Get(0, "none"), std::nullopt);
}

TEST_F(DatabaseTest, AWriteSetIsOneStep) {
  ASSERT_TRUE(Put(0, "old", "1").ok());
  WriteSet writes;
  EXPECT_TRUE(writes.empty());
  writes.Put(0, "x1", "1");
  writes.Put(0, "x2", "2");
  writes.Delete(0, "old");
  writes.Put(1, "y", "3");
  ASSERT_TRUE(database_->Write(writes).ok());
  EXPECT_EQ(*database_->Get(0, "old"), std::nullopt);
  WriteSet range;
  range.DeleteRange(0, "x", PrefixEnd("x"));
  ASSERT_TRUE(database_->Write(range).ok());
  EXPECT_EQ(*database_->Get(0, "x2"), std::nullopt);
  EXPECT_TRUE(database_->Get(1, "y")->has_value());
}

TEST_F(DatabaseTest, MultiGetKeepsTheOrderAsked) {
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(Put(1, absl::StrCat("k", i), absl::StrCat(i)).ok());
  const auto values = database_->MultiGet(1, {"k7", "none", "k2"});
  ASSERT_TRUE(values.ok());
  EXPECT_THAT(*values,
              ElementsAre(Optional(std::string("7")), std::nullopt, Optional(std::string("2"))));
}

TEST_F(DatabaseTest, ScansARangeAndFindsTheLast) {
  for (const char* key : {"a", "b1", "b2", "b3", "c"}) ASSERT_TRUE(Put(0, key, key).ok());
  std::vector<std::string> seen;
  const auto collect = [&](absl::string_view key, absl::string_view) {
    seen.emplace_back(key);
    return seen.size() < 2;
  };
  ASSERT_TRUE(database_->Scan(0, "b", PrefixEnd("b"), collect).ok());
  EXPECT_THAT(seen, ElementsAre("b1", "b2"));
  EXPECT_EQ((*database_->Last(0))->first, "c");
  EXPECT_EQ((*database_->Last(0, PrefixEnd("b")))->first, "b3");
  EXPECT_EQ(*database_->Last(1), std::nullopt);
}

TEST_F(DatabaseTest, ANearlyFullDiskRefusesWritesButNotTheReserve) {
  options_.free_bytes_min = std::numeric_limits<int64_t>::max();
  Open();
  const absl::Status status = Put(0, "k", "v");
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("MiB left"));
  EXPECT_TRUE(database_->Health().ok());
  WriteSet writes;
  writes.Put(0, "k", "v");
  EXPECT_TRUE(database_->WriteIntoReserve(writes).ok());
  EXPECT_TRUE(database_->Get(0, "k")->has_value());
}

// The file system refuses the log's growth, as a full disk would; then there is space again.
TEST_F(DatabaseTest, AFailedWriteLatchesAndRecoverReopens) {
  ASSERT_TRUE(Put(0, "before", "1").ok());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit small = old_limit;
  small.rlim_cur = 64 << 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status failed = Put(0, "big", std::string(1 << 20, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  ASSERT_FALSE(failed.ok());
  EXPECT_FALSE(database_->Health().ok());
  EXPECT_FALSE(Put(0, "after", "1").ok());
  EXPECT_TRUE(database_->Get(0, "before")->has_value()) << "reads go on";
  const absl::Time now = absl::Now();
  EXPECT_TRUE(database_->Recover(now).ok());
  EXPECT_TRUE(Put(0, "after", "1").ok());
  EXPECT_TRUE(database_->Get(0, "before")->has_value());
  EXPECT_EQ(*database_->Get(0, "big"), std::nullopt);
}

TEST_F(DatabaseTest, ACheckpointIsAWholeDatabase) {
  ASSERT_TRUE(Put(1, "k", "v").ok());
  ASSERT_TRUE(database_->Checkpoint(folder_ / "copy").ok());
  ASSERT_TRUE(Put(1, "k2", "later").ok());
  options_.path = folder_ / "copy";
  Open();
  EXPECT_TRUE(database_->Get(1, "k")->has_value());
  EXPECT_FALSE(database_->Get(1, "k2")->has_value());
}

TEST_F(DatabaseTest, TheStoreOfAnotherProgramIsNamed) {
  database_.reset();
  DatabaseOptions jobs = options_, records = options_;
  jobs.path = folder_ / "jobs";
  jobs.families = {{.name = "meta"}, {.name = "specs"}};
  records.path = folder_ / "records";
  records.families = {{.name = "meta"}, {.name = "quarantine"}};
  ASSERT_TRUE(Database::Open(jobs).ok());
  ASSERT_TRUE(Database::Open(records).ok());
  std::swap(jobs.path, records.path);
  records.repair_when_damaged = true;
  EXPECT_EQ(Database::Open(records).status(),
            absl::FailedPreconditionError(absl::StrCat(
                records.path, " is the store of fpo-coordinator: give another folder (--data)")));
  EXPECT_EQ(Database::Open(jobs).status(),
            absl::FailedPreconditionError(absl::StrCat(
                jobs.path, " is the store of fpo-cache: give another folder (--data)")));
  EXPECT_TRUE(absl::IsFailedPrecondition(Database::Open([&] {
                                           DatabaseOptions mine = options_;
                                           mine.path = jobs.path;
                                           return mine;
                                         }())
                                             .status()));
}

TEST_F(DatabaseTest, OneProcessOwnsAFolder) {
  const absl::Status second = Database::Open(options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_GT(database_->FreeBytes(), 0);
  EXPECT_GT(database_->DiskBytes(), 0);
}

TEST(PrefixEnd, IsAboveEveryStringWithThePrefix) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
  EXPECT_EQ(PrefixEnd(""), "");
}

}  // namespace
}  // namespace fpo
