#include "cache/core/store/backups.h"

#include <filesystem>

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/temp_folder.h"

namespace fpo::cache {
namespace {

RocksdbStoreOptions OptionsFor(const std::string& path) {
  return {.path = path, .free_bytes_min = 0, .free_fraction_min = 0};
}

class BackupsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = *RocksdbStore::Open(OptionsFor(folder_ / "store"));
    ASSERT_TRUE(store_->PutRecords(recipe_, TestRecords(recipe_, 50), absl::Now()).ok());
  }
  size_t Copies() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "backups")) {
      count += entry.is_directory();
    }
    return count;
  }

  const fpo::testing::TempFolder folder_;
  const Recipe recipe_ = MarginTestRecipe();
  std::unique_ptr<RocksdbStore> store_;
  const absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
};

TEST_F(BackupsTest, ACopyOpensAsAStoreWithWhatWasThere) {
  Backups backups({.folder = folder_ / "backups"}, store_.get());
  const auto info = backups.Make(now_);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->records, 50);
  ASSERT_TRUE(store_->PutRecords(recipe_, TestRecords(recipe_, 50, 50), now_).ok());
  const auto copy = RocksdbStore::Open(OptionsFor(info->path));
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->Totals().records, 50);
  EXPECT_TRUE((*copy)->ReadRecords(RecipeId(recipe_), TestKeys(50), now_)->damaged.empty());
}

TEST_F(BackupsTest, TheNewestCopySaysItsTimeAlsoToALaterProgram) {
  Backups backups({.folder = folder_ / "backups"}, store_.get());
  EXPECT_FALSE(backups.NewestTime().has_value());
  ASSERT_TRUE(backups.Make(now_).ok());
  ASSERT_TRUE(backups.Make(now_ + absl::Milliseconds(1500)).ok());
  Backups later({.folder = folder_ / "backups"}, store_.get());
  EXPECT_EQ(later.NewestTime(), now_ + absl::Milliseconds(1500));
  EXPECT_FALSE(Backups({.folder = ""}, store_.get()).NewestTime().has_value());
}

TEST_F(BackupsTest, KeepsTheNewest) {
  Backups backups({.folder = folder_ / "backups", .keep = 2}, store_.get());
  std::string first;
  for (int i = 0; i < 4; ++i) {
    const auto info = backups.Make(now_ + absl::Hours(i));
    ASSERT_TRUE(info.ok()) << info.status();
    if (i == 0) first = info->path;
  }
  EXPECT_EQ(Copies(), 2u);
  EXPECT_FALSE(std::filesystem::exists(first));
}

TEST_F(BackupsTest, AFolderThatCannotBeWrittenIsNamed) {
  const absl::Status refused = Backups({.folder = "/proc/sys"}, store_.get()).Make(now_).status();
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kNoBackupFolder) << refused;
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(BackupsTest, SaysHowToGetOneWithoutAFolder) {
  const absl::Status status = Backups({}, store_.get()).Make(now_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kNoBackupFolder);
}

}  // namespace
}  // namespace fpo::cache
