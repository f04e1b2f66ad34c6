#include "common/rocksdb/log_damage.h"

#include <filesystem>

#include "common/rocksdb/database.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

DatabaseOptions OptionsOf(const std::string& path) {
  DatabaseOptions options;
  options.path = path;
  options.families = {{.name = "a"}};
  options.free_bytes_min = 0;
  options.free_fraction_min = 0;
  options.damaged_log_is_loss = true;
  return options;
}

// A store whose log holds 20 writes, "k0" with 5,000 times "0" and so on.
class LogDamageTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const auto database = Database::Open(OptionsOf(folder_.path())).value();
    for (int i = 0; i < 20; ++i) {
      WriteSet writes;
      writes.Put(0, absl::StrCat("k", i), std::string(5000, static_cast<char>('a' + i)));
      ASSERT_TRUE(database->Write(writes, /*sync=*/GetParam()).ok());
    }
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      if (entry.path().extension() == ".log") log_ = entry.path();
    }
    text_ = testing::ReadWhole(log_);
    ASSERT_GT(text_.size(), 100'000u);
  }
  size_t MiddleOf(int write) const {
    return text_.find(std::string(1000, static_cast<char>('a' + write))) + 2000;
  }
  absl::Status Damaged(size_t at, size_t bytes) {
    std::string damaged = text_;
    for (size_t i = at; i < at + bytes && i < damaged.size(); ++i) damaged[i] ^= 0x55;
    testing::WriteWhole(log_, damaged);
    return CheckLogs(folder_.path());
  }
  testing::TempFolder folder_;
  std::string log_, text_;
};

TEST_P(LogDamageTest, DamageInTheMiddleLosesWhatWasSyncedAfterIt) {
  EXPECT_TRUE(CheckLogs(folder_.path()).ok());
  for (const int write : {0, 7, 17}) {
    for (const size_t bytes : {1, 100, 4000}) {
      const absl::Status status = Damaged(MiddleOf(write), bytes);
      if (!GetParam()) {
        EXPECT_TRUE(status.ok()) << "nothing of it was acknowledged as durable";
        continue;
      }
      EXPECT_TRUE(absl::IsDataLoss(status)) << write << " " << bytes;
      EXPECT_THAT(std::string(status.message()), HasSubstr(log_));
    }
  }
  if (!GetParam()) return;
  const auto opened = Database::Open(OptionsOf(folder_.path()));
  EXPECT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
}

TEST_P(LogDamageTest, ATornEndIsNoDamage) {
  EXPECT_TRUE(Damaged(MiddleOf(19), 100).ok()) << "nothing follows";
  for (const size_t cut : {size_t{1}, size_t{10}, size_t{6000}}) {
    testing::WriteWhole(log_, text_.substr(0, text_.size() - cut));
    EXPECT_TRUE(CheckLogs(folder_.path()).ok());
    testing::WriteWhole(log_, text_.substr(0, text_.size() - cut) + std::string(100'000, '\0'));
    EXPECT_TRUE(CheckLogs(folder_.path()).ok()) << "space that was kept for it";
  }
  EXPECT_TRUE(Database::Open(OptionsOf(folder_.path())).ok());
}

TEST_P(LogDamageTest, ALaterLogCountsToo) {
  const std::string later = folder_ / "999999.log";
  testing::WriteWhole(later, text_);
  const absl::Status status = Damaged(MiddleOf(19), 100);
  EXPECT_EQ(absl::IsDataLoss(status), GetParam()) << status;
}

INSTANTIATE_TEST_SUITE_P(Writes, LogDamageTest, ::testing::Values(true, false),
                         [](const auto& param) { return param.param ? "synced" : "unsynced"; });

}  // namespace
}  // namespace fpo
